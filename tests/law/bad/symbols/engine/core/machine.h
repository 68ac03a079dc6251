/* A core that is not pure. */
#pragma once
int machine_step(int event);
int step_machine(int event);
