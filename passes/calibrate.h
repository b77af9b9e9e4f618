/* What rules ask to know of the data: statistics of all that is multiplied by a parameter. A rule asks before passes run
   (calibrate_ask); the pass calibrate has the graph of that name measure it; and rules then compute with the statistic's states,
   which are parameters as far as derive is concerned. */
#ifndef PASSES_CALIBRATE_H
#define PASSES_CALIBRATE_H

#include "ir/program.h"

enum measure { MEASURE_MAX = 1, MEASURE_SQUARE = 2 };

/* Asks for measures, a set, of what is multiplied by the parameter, by channel: `axes` are those of the parameter that contractions sum
   over, a bit for each. The statistic's states have them, in the parameter's order. Asked twice, it gives the same states. */
const struct statistic *calibrate_ask(struct program *program, const struct state *parameter, unsigned axes,
                                      int measures);

#endif
