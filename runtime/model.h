/* A model's tensors: what the library that models share (lamella.h) knows of a model. Its functions need C's library
   alone. They return a status and leave a message in the model; none of them prints, ends the program, or keeps
   anything of its own. */
#ifndef LAM_MODEL_H
#define LAM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Modules are compiled apart; or they are one text with the program, which defines LAM_ONE_TEXT, and nothing of them is
   known outside of it. Tables then need no declaration, since they stand before their users. */
#ifdef LAM_ONE_TEXT
#define LAM_API static
#define LAM_TABLE(declaration)
#else
#define LAM_API
#define LAM_TABLE(declaration) extern const declaration;
#endif

/* What a real is in memory. Files hold F32 either way. */
#ifndef LAM_REAL
#define LAM_REAL float
#endif
typedef LAM_REAL lam_real;

/* In the order of enum NAME_status of a model's header. */
enum lam_status {
  LAM_OK,
  LAM_WRONG_MACHINE,
  LAM_NO_MEMORY,
  LAM_WRONG_ARGUMENT,
  LAM_CANNOT_READ,
  LAM_CANNOT_WRITE,
  LAM_WRONG_FILE, /* it is damaged, or does not fit the model */
  LAM_NOT_FINITE /* an infinity or NaN where a number is wanted */
};

enum { LAM_MAX_RANK = 8, LAM_MESSAGE = 1024 };
/* lam_real, int32_t, uint8_t in memory; and what tensors may be stored in that hold fewer numbers: 16 bits, a byte,
   half a byte. Ports and columns have one of the first three. */
enum lam_type {
  LAM_TYPE_REAL,
  LAM_TYPE_INTEGER,
  LAM_TYPE_BOOLEAN,
  LAM_TYPE_BF16,
  LAM_TYPE_F16,
  LAM_TYPE_I8,
  LAM_TYPE_U8,
  LAM_TYPE_I4,
  LAM_TYPE_U4
};
enum lam_role {
  LAM_PARAMETER,
  LAM_OPTIMIZER,
  LAM_ACCUMULATOR,
  LAM_AVERAGE,
  LAM_CACHE,
  LAM_PREPARED,
  LAM_STATISTIC,
  LAM_DERIVED,
  LAM_QUANTIZED
};
enum { LAM_FROZEN = 1, LAM_IN_BASE };
enum lam_initial { LAM_CONSTANT, LAM_NORMAL, LAM_UNIFORM };

/* Who reads a parameter or an average: routines as they like; or it has steps, "NAME/i8" and "NAME/scale", which a file
   may have in its place, and which are made of it alone; or besides, no routine but those of training reads it; or that
   is so since they read its average. */
enum lam_use { LAM_AS_IT_IS, LAM_UNREAD, LAM_IN_STEPS, LAM_STREAMED };

/* A tensor that outlives a step; row-major in the file's order of axes. */
struct lam_tensor {
  const char *name, *axes; /* "vocab,embed" */
  int64_t shape[LAM_MAX_RANK];
  int rank;
  enum lam_role role;
  enum lam_type type;
  enum lam_initial initial;
  double low, high;
  int frozen; /* a parameter that is not trained: LAM_FROZEN, or LAM_IN_BASE where it is not saved either */
  uint32_t stream; /* keys its initial draws */
  enum lam_use use;
  void **slot; /* the model's pointer to the data */
  void *data; /* NULL: it is in memory only while its steps are made of it */
};

/* A row of an emitted program's table of tensors: the copies of a repeat share one. Of `like`, rank, role, stream and
   data follow from the rest. */
struct lam_family {
  int copies; /* 0: a single tensor */
  enum lam_role role;
  size_t slot; /* where the model's struct has the pointer, or the array of pointers */
  struct lam_tensor like; /* its name has %d for the copy's number, where there are copies */
};

/* A named input or output of a routine. Emitted models have a table of theirs, by routine, inputs before outputs. */
struct lam_port {
  const char *routine;
  size_t slot; /* where the model's struct has the pointer to the array, or a scalar itself */
  const char *name, *axes;
  enum lam_type type;
  int rank;
  int64_t shape[LAM_MAX_RANK]; /* at full extent; batch first where it has one */
  int64_t range; /* integers: every value must be less; 0 for none */
  int is_output;
  void *data;
};

/* Keys with values, in the order in which they came. */
struct lam_pair {
  const char *key, *value;
  size_t length; /* of the value, which may hold zeros */
};
struct lam_pairs {
  struct lam_pair *items;
  int64_t count, capacity;
};

/* Where training stands. Facts are what data taught ("vocabulary", "categories:FIELD"); they travel with the
   weights. */
struct lam_run {
  int64_t step, steps, rows; /* rows: examples seen */
  uint32_t seed;
  struct lam_pairs facts;
  int64_t given; /* the first facts, so many, came with parameters from files; the others were learned */
};

/* Ids that a column of the data has: what gives them a meaning, and how many there can be. */
struct lam_ids {
  const char *field; /* the column of a CSV file of which they are the categories; NULL: they are tokens */
  int64_t range; /* every id must be less; 0: any */
  int64_t reserved; /* ids of the range that stand for no character, such as the mask */
};

/* What ids of tokens stand for. */
struct lam_vocabulary {
  const struct lam_tokenizer *tokenizer; /* or NULL */
  uint32_t *codes; /* of characters: the code points, ascending; for free() */
  int64_t count; /* ids; 0: not known yet */
};

/* How text becomes ids, and ids become text. */
struct lam_tokenizer {
  const char *name, *units; /* "char", "characters": in the spec and in weights; in messages */
  int32_t mask; /* the id that stands for a masked token; -1: the one after the last */
  /* From the facts that training wrote: LAM_WRONG_FILE, without a message, where these have none. */
  int (*recall)(struct lam_vocabulary *vocabulary, const struct lam_pairs *facts, char message[LAM_MESSAGE]);
  bool (*remember)(const struct lam_vocabulary *vocabulary, struct lam_pairs *facts); /* false without memory */
  int64_t (*encode)(const struct lam_vocabulary *vocabulary, const char *text, size_t length, int32_t *ids,
                    int64_t limit, char message[LAM_MESSAGE]);
  int (*decode)(const struct lam_vocabulary *vocabulary, int32_t id, char text[4]);
  /* Learning from a text; or from several: each is added to a set of so many bytes, zero at first, and the vocabulary
     is made of that, or false without memory. NULL where nothing is learned. */
  int (*learn)(struct lam_vocabulary *vocabulary, const char *text, size_t length, char message[LAM_MESSAGE]);
  size_t set_bytes;
  int (*collect)(unsigned char *set, const char *text, size_t length, char message[LAM_MESSAGE]);
  bool (*from_set)(struct lam_vocabulary *vocabulary, const unsigned char *set);
};

struct lam_model;
struct lam_weights;
struct lam_taking;
/* Adds what tensors a file holds in parts: lam_join_parts (parts.h). */
typedef int lam_part_joiner(struct lam_weights *weights, char message[LAM_MESSAGE]);

/* What loading, drawing and saving do besides where a model keeps steps of parameters: quantized.h. */
enum { LAM_PARTS = 3 }; /* "NAME/i8" or the like, "NAME/scale", "NAME/offset" */
struct lam_quantized {
  /* Draws what is not kept, and makes steps of it. */
  int (*initialize)(struct lam_model *model, uint32_t seed);
  /* Before anything is taken from a file, and then takes all: true where all that have steps have them now. */
  int (*begin)(struct lam_taking *taking);
  bool (*take)(struct lam_taking *taking);
  /* What there is in place of a tensor, LAM_PARTS at most; returns how many. */
  int (*list)(const struct lam_model *model, const struct lam_tensor *tensor, struct lam_tensor *parts);
};

struct lam_model {
  const char *name;
  void *self; /* the model's struct */
  struct lam_tensor *tensors;
  int tensor_count;
  const struct lam_port *ports; /* of all routines, without their data */
  int port_count;
  const struct lam_ids *ids; /* of the data's columns */
  int ids_count;
  const struct lam_pairs *facts; /* of weights that are a part of the program; else NULL, and those of the run hold */
  struct lam_run run;
  struct lam_vocabulary vocabulary;
  int64_t *version; /* advances when parameters change; NULL where nothing is derived of them */
  const int64_t *derived_version; /* the version that derived values were computed of */
  int64_t *pruned; /* where weights are pruned, else NULL: see pruned.h */
  void (*note_pruned)(struct lam_model *model, const struct lam_weights *weights, int purpose); /* of a file's */
  lam_part_joiner *join_parts; /* NULL: tensors that files hold in parts are not read */
  /* NULL where no steps are kept. Else `quantize` makes those of parameters whose slots are not NULL; and the version
     that they were made of. */
  const struct lam_quantized *quantized;
  void (*quantize)(void *self);
  int64_t *quantized_version;
  char message[LAM_MESSAGE]; /* of the last call that failed, or a note of one that did not */
};

/* Leaves a message and returns `status`. */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
LAM_API int
lam_fail(char message[LAM_MESSAGE], enum lam_status status, const char *format, ...);
LAM_API size_t lam_type_size(enum lam_type type);
/* The bytes of so many elements. */
LAM_API size_t lam_type_bytes(enum lam_type type, int64_t count);
LAM_API bool lam_type_is_real(enum lam_type type);
LAM_API double lam_get(const void *data, enum lam_type type, int64_t i);
LAM_API void lam_set(void *data, enum lam_type type, int64_t i, double number);
LAM_API int64_t lam_count(const int64_t *shape, int rank);
/* "[vocab=65, embed=128]" in `text`, which is returned; axes may be NULL. */
enum { LAM_SHAPE_TEXT = 256 };
LAM_API const char *lam_shape_text(char text[LAM_SHAPE_TEXT], const char *axes, const int64_t *shape, int rank);

/* The tensors of all families, copies of a repeat together; `names` is memory for their names, ended by zeros. */
LAM_API void lam_list_tensors(const struct lam_family *families, int count, void *self, struct lam_tensor *tensors,
                              char *names);
LAM_API const struct lam_tensor *lam_find_tensor(const struct lam_model *model, const char *name); /* or NULL */
/* Where a port's data lie now. */
LAM_API void *lam_port_data(const struct lam_model *model, const struct lam_port *port);
/* The tensor of that name, "h.0.attn.weight"; and the input or output, "train.loss", as a tensor. */
LAM_API int lam_model_tensor(struct lam_model *model, const char *name, struct lam_tensor *found);
LAM_API int lam_model_port(struct lam_model *model, const char *name, struct lam_tensor *found);
/* Parameters have changed, so that what was derived of them is out of date. */
LAM_API void lam_changed(struct lam_model *model);
/* Each tensor as the spec says, drawn from its own stream; averages then hold what their parameters do. */
LAM_API int lam_initialize(struct lam_model *model, uint32_t seed);
LAM_API void lam_start_averages(struct lam_model *model);
/* The parameter that an average begins as, or NULL. */
LAM_API const struct lam_tensor *lam_average_of(const struct lam_model *model, const struct lam_tensor *average);
/* Draws the tensor's elements. */
LAM_API void lam_begin(const struct lam_tensor *tensor, uint32_t seed);
/* The same as lam_initialize for the model's own run, which forgets the facts that came with other parameters. */
LAM_API int lam_model_initialize(struct lam_model *model, uint32_t seed);
/* The tensors of a role as the spec says. Where none has `changed` since their memory was made, those that begin as
   zero are left alone: of a model that only predicts, memory for training is never touched. */
LAM_API void lam_restart(struct lam_model *model, enum lam_role role, bool changed);
/* The first tensor of a checkpoint that holds an infinity or NaN, though it did not begin with one; or NULL. */
LAM_API const char *lam_not_finite(const struct lam_model *model);
LAM_API bool lam_is_kept(const struct lam_tensor *tensor); /* in checkpoints */

/* The vocabulary is taken from the facts anew when it is next wanted; and all that the model holds beside its memory
   is freed. */
LAM_API void lam_forget_vocabulary(struct lam_model *model);
/* Of a model with a tokenizer; LAM_WRONG_FILE, and why is empty, where there is no vocabulary. */
LAM_API int lam_recall_vocabulary(struct lam_model *model, char why[LAM_MESSAGE]);
LAM_API void lam_model_end(struct lam_model *model);

/* Copies both; false without memory. */
LAM_API bool lam_pairs_add(struct lam_pairs *pairs, const char *key, const char *value, size_t length);
/* The column whose categories the fact of this key is, or NULL: what follows LAM_CATEGORIES. */
#define LAM_CATEGORIES "categories:"
LAM_API const char *lam_category_column(const char *key);
LAM_API const struct lam_pair *lam_pairs_find(const struct lam_pairs *pairs, const char *key);
LAM_API void lam_pairs_cut(struct lam_pairs *pairs, int64_t first, int64_t end); /* forgets all but these */
LAM_API void lam_pairs_free(struct lam_pairs *pairs);

#endif
