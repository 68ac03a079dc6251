/* A header of the first layer. */
#pragma once
