int main(void)
{
    usleep(1000);
    return 0;
}
