/* TODO: the rest. */
#pragma once
