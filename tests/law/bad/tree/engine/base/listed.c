int listed_one;
