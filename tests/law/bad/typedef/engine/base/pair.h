/* A function's type may have a name, a struct has one already. */
#pragma once
typedef void pair_visit(int a, int b);
typedef struct pair pair_t;
