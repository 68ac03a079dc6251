int bent_one;
int   bent_two;
int   bent_three;
