/* The file format of weights. */
#ifndef LAM_SAFETENSORS_H
#define LAM_SAFETENSORS_H

#include <stdio.h>

#include "runtime/model.h"

/* With POSIX a file is read in place, and replaced with its rights; without, or with -DLAM_PLAIN_FILES, by C alone. */
#if (defined(__unix__) || defined(__APPLE__)) && !defined(LAM_PLAIN_FILES)
#define LAM_MAPS_FILES
#endif

LAM_API int lam_utf8_write(uint32_t code, char text[4]); /* returns how many bytes */

/* The types of elements in files; the rest is not read. */
enum lam_file_type { LAM_F32, LAM_F64, LAM_F16, LAM_BF16, LAM_I32, LAM_I64, LAM_BOOL, LAM_U8, LAM_I8, LAM_KNOWN };

struct lam_entry {
  const char *name, *type_name; /* "F32" */
  int type;
  int rank;
  int64_t shape[LAM_MAX_RANK];
  uint64_t begin, end; /* bytes of the file's data */
  const unsigned char *data;
  /* Of a tensor that the file holds in steps, "NAME/i8", "/i4", "/u4" or "/nf4", which the module parts finds: its
     scale "NAME/scale", of which an element is for so many neighbours along each axis as the tensor's extent has of the
     scale's; of "/u4" the offset "NAME/offset", which has the scale's shape; whether steps are places in NF4's table;
     and what makes reals of them. Else NULL. */
  const unsigned char *scale, *offset;
  int64_t scale_shape[LAM_MAX_RANK];
  bool has_levels;
  void (*widen)(const struct lam_entry *entry, const unsigned char *from, enum lam_type type, int64_t first,
                int64_t count, void *to);
};
struct lam_weights {
  const char *path; /* or what messages are to call the bytes */
  const unsigned char *bytes;
  size_t length;
  void *map; /* a file's bytes; NULL: the caller's */
  int file; /* of the map */
  char *names, *joined; /* the memory of all names, and of those of tensors in steps */
  /* By name. A tensor that the file holds as steps and scale is an entry, too, and is read as reals, where these were
     joined. */
  struct lam_entry *entries;
  int64_t count;
  struct lam_pairs metadata;
};
/* A file, or bytes in memory, which must stay until it is closed. NULL with a message where they are not weights.
   `join` may be NULL. */
LAM_API int lam_open_weights(struct lam_weights **weights, const char *path, lam_part_joiner *join,
                             char message[LAM_MESSAGE]);
LAM_API int lam_weights_take(struct lam_weights **weights, const char *path, const void *bytes, size_t length,
                             lam_part_joiner *join, char message[LAM_MESSAGE]);
LAM_API void lam_weights_close(struct lam_weights *weights);
LAM_API int lam_by_name(const void *x, const void *y); /* the order of entries */
LAM_API const struct lam_entry *lam_weights_find(const struct lam_weights *weights, const char *name);
/* Whether the entry's elements are of the type, or can be made so; then `count` of them from `first` on, made so. */
LAM_API int lam_check_elements(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type,
                               char message[LAM_MESSAGE]);
LAM_API void lam_read_elements(const struct lam_entry *entry, enum lam_type type, int64_t first, int64_t count,
                               void *to);
/* All elements, without the file's bytes becoming memory of the program. */
LAM_API void lam_read_entry(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type,
                            void *to);
/* Writes name, type, shape and data of tensors, reals as F32, and integers of less than a byte as bytes; false with
   errno. */
LAM_API bool lam_put_weights(FILE *file, const struct lam_tensor *tensors, int count, const struct lam_pairs *metadata);

#endif
