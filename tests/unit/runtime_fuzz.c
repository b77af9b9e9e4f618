/* Random damage to the files that a program reads: weights, CSV, text. A reader must end, and what it accepts must be
   readable from end to end. Run under the sanitizers (preset asan) this also finds every stray access. */
#include "tests/unit/check.h"
#include "tests/unit/tiny_files.h"

enum { MUTATIONS = 1000, LARGEST = 4096, LENGTH = 8 };

static const char weights_file[] =
    "\xd8\0\0\0\0\0\0\0"
    "{\"__metadata__\":{\"k\":\"\\u00e9\\n\",\"axes:a\":\"x,y\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_"
    "offsets\":[0,8]},"
    "\"b\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[8,10]},\"c\":{\"dtype\":\"I64\",\"shape\":[1],\"data_"
    "offsets\":[10,18]}}    "
    "12345678ab12345678";
static const char table_file[] =
    "number,kind,\"text\"\r\n1,red,\"a \"\"b\"\"\"\n-2.5e3,blue,\"\xC3\xA9,\nx\"\n\n7,red,plain\n";
static const char text_file[] =
    "To be, or not to be: \xE2\x82\xAC \xF0\x9F\x98\x80 that is the question.\nWhether 'tis nobler\n";

static lam_real number[1];
static int32_t kind[1], ids[LENGTH], next[LENGTH];
static lam_real weight[LENGTH];
static struct lam_port ports[] = {
    {.name = "number", .axes = "batch", .rank = 1, .shape = {1}, .data = number},
    {.name = "kind", .axes = "batch", .type = LAM_TYPE_INTEGER, .rank = 1, .shape = {1}, .data = kind},
    {.name = "ids", .axes = "batch,seq", .type = LAM_TYPE_INTEGER, .rank = 2, .shape = {1, LENGTH}, .data = ids},
    {.name = "next", .axes = "batch,seq", .type = LAM_TYPE_INTEGER, .rank = 2, .shape = {1, LENGTH}, .data = next},
    {.name = "weight", .axes = "batch,seq", .rank = 2, .shape = {1, LENGTH}, .data = weight}};
static struct lam_column columns[] = {
    {.name = "number", .feature = LAM_NUMBER, .field = "number", .length = 1, .start = -1, .stop = -1},
    {.name = "kind", .feature = LAM_CATEGORY, .field = "kind", .type = LAM_TYPE_INTEGER, .length = 1, .range = 3},
    {.name = "ids",
     .feature = LAM_TOKENS,
     .field = "text",
     .type = LAM_TYPE_INTEGER,
     .length = LENGTH,
     .range = 64,
     .start = 1,
     .stop = -1},
    {.name = "next",
     .feature = LAM_NEXT,
     .field = "text",
     .type = LAM_TYPE_INTEGER,
     .length = LENGTH,
     .range = 64,
     .start = -1,
     .stop = 2},
    {.name = "weight", .feature = LAM_WEIGHT, .field = "text", .length = LENGTH, .start = -1, .stop = 2}};
static struct lam_data table = {.name = "table",
                                .path = "damaged",
                                .tokenizer = LAM_CHAR,
                                .split = 0.5,
                                .columns = columns,
                                .column_count = 5,
                                .reader = &lam_csv_reader};
static struct lam_data text = {.name = "text",
                               .path = "damaged",
                               .tokenizer = LAM_CHAR,
                               .split = 0.5,
                               .columns = columns + 2,
                               .column_count = 3,
                               .reader = &lam_text_reader};
static struct lam_program table_program = {
    .name = "t", .data = &table, .routines = {[LAM_TRAIN] = {1, NULL, ports, 5, NULL, 0}}};
static struct lam_program text_program = {
    .name = "t", .data = &text, .routines = {[LAM_TRAIN] = {1, NULL, ports + 2, 3, NULL, 0}}};

/* A copy of `original` with a few bytes changed, pieces taken out, doubled or exchanged, or its end cut off. */
static size_t damage(char *to, const char *original, size_t length) {
  static const char pieces[] = "\"\"\",\n\r\\u{}[]:0-9e\xFF\0";
  memcpy(to, original, length);
  for (int i = check_below(4); i >= 0; i--) {
    size_t at = (size_t)check_below((int)length + 1), cut = (size_t)check_below(9),
           from = (size_t)check_below((int)length + 1);
    switch (check_below(5)) {
      case 0:
        if (at < length) to[at] = (char)check_random();
        break;
      case 1:
        if (at < length) to[at] = pieces[check_below((int)sizeof pieces)];
        break;
      case 2:
        if (at + cut > length) cut = length - at;
        memmove(to + at, to + at + cut, length - at - cut);
        length -= cut;
        break;
      case 3:
        if (from + cut > length) cut = length - from;
        if (at + cut <= length) memmove(to + at, to + from, cut);
        break;
      case 4:
        length = check_below(8) ? length : at;
        break;
    }
  }
  return length;
}

static bool try_weights(void) {
  struct lam_weights *weights = lam_weights_open("damaged");
  for (int64_t i = 0; weights && i < weights->count; i++) {
    const struct lam_entry *entry = &weights->entries[i];
    void *to = lam_allocate(lam_count(entry->shape, entry->rank), sizeof(double));
    for (enum lam_type type = LAM_TYPE_REAL; type <= LAM_TYPE_BOOLEAN; type++)
      lam_weights_read(weights, entry, type, to);
    free(to);
  }
  lam_weights_close(weights);
  return weights != NULL;
}

static bool try_data(struct lam_program *program) {
  struct lam_pairs facts = {0};
  struct lam_dataset *dataset = lam_dataset_open(program, LAM_TRAIN, NULL, 0, &facts);
  bool good = true;
  for (int part = LAM_TRAINING; dataset && part <= LAM_EVERYTHING; part++)
    for (int64_t i = 0; i < lam_dataset_examples(dataset, (enum lam_part)part); i++) {
      struct lam_row row = lam_dataset_row(dataset, (enum lam_part)part, i);
      void **batch = lam_batch_create(dataset);
      lam_batch_fill(batch, dataset, 0, &row);
      lam_batch_deliver(batch, dataset);
      lam_batch_free(batch, dataset);
      for (int k = 0; k < LENGTH; k++) good &= ids[k] >= 0 && ids[k] < 64 && next[k] >= 0 && next[k] < 64;
      good &= kind[0] >= 0 && kind[0] < 3 && isfinite((double)number[0]);
    }
  tiny_release();
  CHECK(good);
  tiny_capture();
  bool opened = dataset != NULL;
  lam_dataset_close(dataset);
  lam_pairs_free(&facts);
  return opened;
}

int main(void) {
  char bytes[LARGEST];
  int accepted[3] = {0};
  tiny_folder();
  tiny_capture();
  for (int i = 0; i < MUTATIONS; i++) {
    size_t length = i ? damage(bytes, weights_file, sizeof weights_file - 1) : sizeof weights_file - 1;
    if (!i) memcpy(bytes, weights_file, length);
    tiny_write("damaged", bytes, length);
    accepted[0] += try_weights();
    tiny_write("damaged", bytes, damage(bytes, table_file, sizeof table_file - 1));
    accepted[1] += try_data(&table_program);
    tiny_write("damaged", bytes, damage(bytes, text_file, sizeof text_file - 1));
    accepted[2] += try_data(&text_program);
  }
  tiny_release();
  printf("accepted: %d weights, %d tables, %d texts of %d\n", accepted[0], accepted[1], accepted[2], MUTATIONS);
  for (int i = 0; i < 3; i++) CHECK(accepted[i] > MUTATIONS / 50 && accepted[i] < MUTATIONS);
  return check_done("runtime_fuzz");
}
