/* A module. */
#pragma once
