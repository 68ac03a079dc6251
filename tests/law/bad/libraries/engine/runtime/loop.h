/* #include <libpq-fe.h> in a comment is none. */
#pragma once
#include <libpq-fe.h>
