/* clang-format off */
/* malloc(3) in a comment, "free(x)" in a string and loop->free(x) as a member are no calls. */
void loop_run(struct loop *loop)
{
    char *text = malloc(10);
    strcpy(text, "free(x)");
    loop->free(text);
    int number = atoi (text);
    natsMsg_Ack(loop->message, NULL);
    sleep(1);
    free(text);
    free_all(loop);
}
