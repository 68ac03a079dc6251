/* A door. */
#pragma once

/* Opens it. ERR_NOT_FOUND: there is none. */
enum err door_open(int *door);
/* The same from inside. */
enum err door_open_inside(int *door);
/* Shuts it. */
enum err door_shut(int *door);
enum { DOOR_LOCKS = 2 };

enum err door_lock(int *door);
/* Errors as door_open. */
enum err door_unlock(int *door);
