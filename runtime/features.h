/* What not every program needs. The runtime as a whole has all of it; in emitted source the compiler decides these
   conditions (codegen/emit_runtime.c), so that a program carries only what it uses. */
#ifndef LAM_FEATURES_H
#define LAM_FEATURES_H

#define LAM_WITH_DATA 1 /* data of the program's own */
#define LAM_WITH_AVERAGE 1 /* averages of the parameters */
#define LAM_WITH_ACCUMULATE 1 /* steps of several micro-batches */
#define LAM_WITH_WINDOWS 1 /* text that is sampled at random places */
#define LAM_WITH_EPOCHS 1 /* data whose examples come in epochs */
#define LAM_WITH_MASK 1 /* masked language modelling */
#define LAM_WITH_EXAMPLES 1 /* routines that take the examples' numbers */
#define LAM_WITH_SOURCE 1 /* generation from a source text, by an encoder */
#define LAM_WITH_CATEGORIES 1 /* columns of named categories */
#define LAM_WITH_CHARACTERS 1 /* tokens are the characters of a text */
#define LAM_WITH_NUMBERS 1 /* tokens are numbers, not text */
#define LAM_WITH_FEW_PARAMETERS 1 /* so few that they fit on the screen */
#define LAM_WITH_DOUBLE 1 /* lam_real is double: for the interpreter, and for the target reference */
#define LAM_WITH_FILES_APART 1 /* each file is compiled on its own: never so in emitted source */
#define LAM_WITH_HANDOVER 1 /* training leaves off for the program of an edited spec */
#define LAM_WITH_BENCH 1 /* the verb bench, and --trace for every verb */

#endif
