/* A module as it should be: nothing is found here. */
#pragma once
int text_size(const char *text);
