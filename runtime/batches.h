/* Batches in the order of training, prefetched. */
#ifndef LAM_BATCHES_H
#define LAM_BATCHES_H

#include "runtime/checkpoint.h"
#include "runtime/data.h"

/* 0 .. count - 1 in an order drawn. */
LAM_API void lam_shuffle(uint32_t *order, int64_t count, uint32_t seed, uint32_t epoch);
struct lam_feed;
/* Feeds batches after row `run->rows` and step `run->step`; `accumulate` of them make a step. */
LAM_API struct lam_feed *lam_feed_start(const struct lam_dataset *dataset, const struct lam_run *run,
                                        int64_t accumulate);
LAM_API void lam_feed_next(struct lam_feed *feed); /* puts the next batch into the ports */
LAM_API void lam_feed_stop(struct lam_feed *feed);

#endif
