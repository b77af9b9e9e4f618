/* Draws that depend on what they are for, never on what was drawn before. */
#ifndef LAM_RANDOM_H
#define LAM_RANDOM_H

#include "runtime/model.h"

/* Philox 4x32-10 with key (seed, stream) and counter (step, example, element low, element high). */
LAM_API void lam_philox(uint32_t seed, uint32_t stream, uint32_t step, uint32_t example, uint64_t element,
                        uint32_t words[4]);
LAM_API double lam_uniform_draw(const uint32_t words[4]); /* 24 bits of word 0 as [0, 1) */
LAM_API double lam_normal_draw(const uint32_t words[4]); /* Box-Muller of words 0 and 1 */
LAM_API int64_t lam_below(const uint32_t words[4], int64_t bound); /* below `bound`, from words 2 and 3 */
/* The streams of the runtime's draws; a spec's are hashes of paths, so that a clash is unlikely and harmless. */
enum { LAM_STREAM_SHUFFLE = 1, LAM_STREAM_WINDOW, LAM_STREAM_MASK, LAM_STREAM_SAMPLE };

#endif
