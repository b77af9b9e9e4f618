/* Random damage to what a program reads: weights, CSV, text, the facts of data in weights, inputs given by hand and in
   files. A reader must end, and data that it accepts must be readable from end to end and in range. Under the
   sanitizers (preset asan) this also finds every stray access. --seconds N makes it run for so long (docs/design.md,
   "Fuzzers"). */
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
static const char steps_file[] =
    "\xb8\0\0\0\0\0\0\0"
    "{\"w/i8\":{\"dtype\":\"I8\",\"shape\":[2,4],\"data_offsets\":[0,8]},\"w/"
    "scale\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_"
    "offsets\":[8,24]},\"v/bf16\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[24,26]}}   "
    "\1\2\3\4\5\6\7\x80"
    "abcdefghijklmnop"
    "xy";
static const char table_file[] =
    "number,kind,\"text\"\r\n1,red,\"a \"\"b\"\"\"\n-2.5e3,blue,\"\xC3\xA9,\nx\"\n\n7,red,plain\n";
static const char mac_file[] = "\xEF\xBB\xBFnumber,kind,\"text\"\r1,red,\"a\"\r\r2,\"blue\",b\r0.5,red,\"c\rd\"";
static const char text_file[] =
    "To be, or not to be: \xE2\x82\xAC \xF0\x9F\x98\x80 that is the question.\nWhether 'tis nobler\n";
static const char vocabulary_fact[] = "\n ',.:?TWabcdeghinoqrstuw\xE2\x82\xAC\xF0\x9F\x98\x80";
static const char categories_fact[] = "red\0blue\0green";
static const char by_hand[] = "x=1,-2.5e3,0x1p4";
static const char ids_by_hand[] = "k=2";
static const char inputs_file[] =
    "\x80\0\0\0\0\0\0\0"
    "{\"x\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
    "\"k\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[24,32]}}                "
    "abcdefghijklmnopqrstuvwx\1\0\0\0\2\0\0\0";

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
                                .tokenizer = &lam_char_tokenizer,
                                .split = 0.5,
                                .columns = columns,
                                .column_count = 5,
                                .reader = &lam_csv_reader};
static struct lam_data text = {.name = "text",
                               .path = "damaged",
                               .tokenizer = &lam_char_tokenizer,
                               .split = 0.5,
                               .columns = columns + 2,
                               .column_count = 3,
                               .reader = &lam_text_reader};
static struct lam_program table_program = {
    .name = "t", .data = &table, .routines = {[LAM_TRAIN] = {1, NULL, ports, 5, NULL, 0, 0}}};
static struct lam_program text_program = {
    .name = "t", .data = &text, .routines = {[LAM_TRAIN] = {1, NULL, ports + 2, 3, NULL, 0, 0}}};

/* A model of two inputs, for those that are given by hand. */
static lam_real given_x[2 * 3], given_y[2];
static int32_t given_k[2];
static bool given_right = true;
static int given_run(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)self, (void)step, (void)seed, (void)sizes;
  for (int i = 0; i < 2; i++) {
    given_right &= given_k[i] >= 0 && given_k[i] < 3;
    given_y[i] = given_x[3 * i] + (lam_real)given_k[i];
  }
  return 0;
}
static struct lam_port given_inputs[] = {
    {.name = "x", .axes = "batch,a", .rank = 2, .shape = {2, 3}, .data = given_x},
    {.name = "k", .axes = "batch", .type = LAM_TYPE_INTEGER, .rank = 1, .shape = {2}, .range = 3, .data = given_k}};
static struct lam_port given_outputs[] = {{.name = "y", .axes = "batch", .rank = 1, .shape = {2}, .data = given_y}};
static const struct lam_verb *const given_verbs[] = {&lam_predict_verb, NULL};
static struct lam_program given_program = {
    .name = "given",
    .model = &(struct lam_model){.name = "given"},
    .target = "hand",
    .version = "test",
    .verbs = given_verbs,
    .routines = {[LAM_PREDICT] = {1, given_run, given_inputs, 2, given_outputs, 1, 0}}};

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
  struct lam_weights *weights = lam_weights_open("damaged", lam_join_parts);
  for (int64_t i = 0; weights && i < weights->count; i++) {
    const struct lam_entry *entry = &weights->entries[i];
    void *to = lam_allocate(lam_count(entry->shape, entry->rank), sizeof(double));
    char message[LAM_MESSAGE];
    for (enum lam_type type = LAM_TYPE_REAL; type <= LAM_TYPE_I4; type++)
      if (lam_weights_read(weights, entry, type, to) && lam_check_elements(weights, entry, type, message) == LAM_OK)
        lam_read_entry(weights, entry, type, to);
    free(to);
  }
  lam_weights_close(weights);
  return weights != NULL;
}

static bool try_data(struct lam_program *program, struct lam_pairs facts) {
  struct lam_dataset *dataset = lam_dataset_open(program, LAM_TRAIN, NULL, 0, &facts);
  bool good = true;
  for (int part = LAM_TRAINING; dataset && part <= LAM_EVERYTHING; part++)
    for (int64_t i = 0; i < lam_dataset_examples(dataset, (enum lam_part)part); i++) {
      struct lam_row row = lam_dataset_row(dataset, (enum lam_part)part, i);
      void **batch = lam_batch_create(dataset);
      lam_batch_fill(batch, dataset, 0, &row);
      lam_batch_deliver(batch, dataset);
      lam_batch_free(batch, dataset);
      for (int k = 0; k < LENGTH; k++)
        good &= ids[k] >= 0 && ids[k] < columns[2].range && next[k] >= 0 && next[k] < columns[3].range;
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

/* Reads data, whole or damaged, with damaged facts. */
static bool try_facts(struct lam_program *program, const char *file, size_t size) {
  struct lam_pairs facts = {0};
  char bytes[LARGEST];
  lam_pairs_add(&facts, "tokenizer", "char", 4);
  lam_pairs_add(&facts, "vocabulary", bytes, damage(bytes, vocabulary_fact, sizeof vocabulary_fact - 1));
  lam_pairs_add(&facts, "categories:kind", bytes, damage(bytes, categories_fact, sizeof categories_fact));
  tiny_write("damaged", bytes, check_below(4) ? (memcpy(bytes, file, size), size) : damage(bytes, file, size));
  return try_data(program, facts);
}

/* The words have no zero bytes, as those of main. */
static bool try_given(bool file) {
  char bytes[LARGEST], x[LARGEST], k[LARGEST],
      *by_words[] = {(char *)"given", (char *)"predict", (char *)"--input", x, (char *)"--input", k, NULL};
  char *by_file[] = {(char *)"given", (char *)"predict", (char *)"--inputs", (char *)"damaged", NULL};
  if (file) {
    tiny_write("damaged", bytes, damage(bytes, inputs_file, sizeof inputs_file - 1));
    return lam_main(&given_program, 4, by_file) == 0;
  }
  x[damage(x, by_hand, sizeof by_hand - 1)] = 0;
  k[check_below(2) ? damage(k, ids_by_hand, sizeof ids_by_hand - 1) : (strcpy(k, ids_by_hand), strlen(k))] = 0;
  return lam_main(&given_program, 6, by_words) == 0;
}

enum { KINDS = 10 };
static bool try_kind(int kind, bool whole) {
  static const char *const names[] = {weights_file, table_file, mac_file, text_file, text_file};
  static const size_t sizes[] = {sizeof weights_file - 1, sizeof table_file - 1, sizeof mac_file - 1,
                                 sizeof text_file - 1, sizeof text_file - 1};
  char bytes[LARGEST];
  if (kind < 5) {
    size_t length =
        whole ? (memcpy(bytes, names[kind], sizes[kind]), sizes[kind]) : damage(bytes, names[kind], sizes[kind]);
    tiny_write("damaged", bytes, length);
  }
  if (kind == 9) {
    memcpy(bytes, steps_file, sizeof steps_file);
    tiny_write("damaged", bytes, whole ? sizeof steps_file - 1 : damage(bytes, steps_file, sizeof steps_file - 1));
  }
  text.tokenizer = kind == 4 ? &lam_byte_tokenizer : &lam_char_tokenizer; /* there are more bytes than ids */
  columns[2].range = columns[3].range = kind == 4 ? 256 : 64;
  switch (kind) {
    case 0:
    case 9:
      return try_weights();
    case 1:
    case 2:
      return try_data(&table_program, (struct lam_pairs){0});
    case 3:
    case 4:
      return try_data(&text_program, (struct lam_pairs){0});
    case 5:
      return try_facts(&table_program, table_file, sizeof table_file - 1);
    case 6:
      return try_facts(&text_program, text_file, sizeof text_file - 1);
    default:
      return try_given(kind == 8);
  }
}

int main(int count, char **arguments) {
  static const char *const names[KINDS] = {"weights",         "tables",           "tables with CR",  "texts",
                                           "texts of bytes",  "facts of a table", "facts of a text", "inputs by hand",
                                           "files of inputs", "weights in steps"};
  long accepted[KINDS] = {0}, rounds = 0;
  if (!check_options("runtime_fuzz", count, arguments)) return 2;
  tiny_folder();
  tiny_capture();
  for (; check_goes_on(rounds, MUTATIONS); rounds++) {
    for (int kind = 0; kind < KINDS; kind++) accepted[kind] += try_kind(kind, !rounds);
    if (rounds % 100 == 99) tiny_release(), tiny_capture(); /* so that messages are not kept for hours */
  }
  tiny_release();
  for (int kind = 0; kind < KINDS; kind++) {
    printf("accepted: %ld %s of %ld\n", accepted[kind], names[kind], rounds);
    /* Bytes are all right, whatever they are, where there are enough of them. */
    CHECK(accepted[kind] > rounds / 50 && (accepted[kind] < rounds || kind == 4));
  }
  CHECK(given_right);
  return check_done("runtime_fuzz");
}
