/* Streams: clusters whose values are wide, as the scores of attention are, computed by one kernel, a block of rows after the other.
   No wide value is then memory of its own: a block of it lies in a buffer that the next block uses again.

   A kernel of plain clusters runs over all axes of their values. In a stream some of these axes are loops *around* all its clusters,
   one of them is *blocked*, and the clusters' own loops run over what is left, as if the others were not there. So all schedules of
   clusters serve streams; they ask here for the extents and the first elements of axes. */
#ifndef PASSES_STREAM_H
#define PASSES_STREAM_H

#include "passes/schedule.h"

struct stream {
  ARRAY(struct cluster *) clusters; /* in an order in which they can run */
  ARRAY(const struct value *) values; /* that lie in memory block by block */
  const struct axis *around[MAX_AXES]; /* outermost first */
  int around_count;
  const struct axis *blocked;
  int64_t rows; /* of a block; it divides the extent of the blocked axis */
  /* Of this axis the block at hand needs the first elements alone, as many as there are rows up to its last one (stream_clip.c); or NULL. */
  const struct axis *clipped;
  /* Where the kernel that is being written is: */
  struct kernel *kernel; /* NULL: it is only tried whether one can be written */
  struct coordinates coordinates; /* along the axes around */
  struct linear first; /* of the rows of the block */
  const struct expression *block; /* the number of the block; NULL where there is one */
  const struct expression *needed; /* how many elements of the clipped axis; NULL: all */
  int launch; /* the number of its launch in the routine, once it is written */
};

/* How many elements the axes have that a contraction's result shares with both operands: tasks can share them. */
int64_t stream_batch(const struct value *contraction);
/* Whether all axes are of one operand of the contraction and not of the other: its result has rows along them. */
bool stream_are_rows(const struct value *contraction, struct axis *const *axes, int count);

/* Finds the axis that is clipped. */
void stream_clip(struct scheduler *scheduler, struct stream *stream);
/* How many elements of the axis the block at hand needs; NULL: all, also without a stream. */
const struct expression *stream_needed(const struct stream *stream, const struct axis *axis);
/* Whether the axis is a loop around the stream's clusters; false without a stream. */
bool stream_is_around(const struct stream *stream, const struct axis *axis);
/* How many elements of the axis the clusters' own loops run over; without a stream all. */
int64_t stream_extent(const struct stream *stream, const struct axis *axis);
/* The coordinate of an element whose number in the block is `at`. */
struct linear stream_coordinate(struct arena *arena, const struct stream *stream, const struct axis *axis,
                                struct linear at);
/* The offset, in the memory of a value at `place`, of the element where the clusters' own loops begin. */
struct linear stream_offset(struct arena *arena, const struct stream *stream, const struct value *value,
                            const struct place *place);
/* Whether the contraction sums along the blocked axis: each block then adds to what the blocks before have summed. */
bool stream_adds(const struct stream *stream, const struct value *contraction);
/* Writes the kernel of all clusters of the stream. */
void schedule_stream(struct scheduler *scheduler, struct stream *stream);

#endif
