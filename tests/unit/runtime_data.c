/* The data that a model gets: CSV, tokenizers, windows, masking, order, draws and sampling. */
#include "tests/unit/check.h"
#include "tests/unit/tiny_program.h"

#include "ir/interpret.h"

/* --- CSV ---------------------------------------------------------------------------------------------------------- */

enum { CSV_BATCH = 1, CSV_LENGTH = 6 };
static lam_real csv_number[1], csv_weight[CSV_LENGTH];
static int32_t csv_class[1], csv_ids[CSV_LENGTH], csv_next[CSV_LENGTH];
static uint8_t csv_present[CSV_LENGTH];
static struct lam_port csv_inputs[] = {
    {.name = "size", .axes = "batch", .rank = 1, .shape = {1}, .data = csv_number},
    {.name = "kind", .axes = "batch", .type = LAM_TYPE_INTEGER, .rank = 1, .shape = {1}, .range = 3, .data = csv_class},
    {.name = "ids",
     .axes = "batch,seq",
     .type = LAM_TYPE_INTEGER,
     .rank = 2,
     .shape = {1, CSV_LENGTH},
     .data = csv_ids},
    {.name = "next",
     .axes = "batch,seq",
     .type = LAM_TYPE_INTEGER,
     .rank = 2,
     .shape = {1, CSV_LENGTH},
     .data = csv_next},
    {.name = "present",
     .axes = "batch,seq",
     .type = LAM_TYPE_BOOLEAN,
     .rank = 2,
     .shape = {1, CSV_LENGTH},
     .data = csv_present},
    {.name = "weight", .axes = "batch,seq", .rank = 2, .shape = {1, CSV_LENGTH}, .data = csv_weight}};
static struct lam_column csv_columns[] = {
    {.name = "size", .feature = LAM_NUMBER, .field = "size", .length = 1, .start = -1, .stop = -1},
    {.name = "kind",
     .feature = LAM_CATEGORY,
     .field = "kind",
     .type = LAM_TYPE_INTEGER,
     .length = 1,
     .range = 3,
     .start = -1,
     .stop = -1},
    {.name = "ids",
     .feature = LAM_TOKENS,
     .field = "text",
     .type = LAM_TYPE_INTEGER,
     .length = CSV_LENGTH,
     .range = 256,
     .start = 1,
     .stop = -1},
    {.name = "next",
     .feature = LAM_TOKENS,
     .field = "text",
     .type = LAM_TYPE_INTEGER,
     .length = CSV_LENGTH,
     .range = 256,
     .start = -1,
     .stop = 2},
    {.name = "present",
     .feature = LAM_PRESENT,
     .field = "text",
     .type = LAM_TYPE_BOOLEAN,
     .length = CSV_LENGTH,
     .start = 1,
     .stop = -1},
    {.name = "weight", .feature = LAM_WEIGHT, .field = "text", .length = CSV_LENGTH, .start = -1, .stop = 2}};
static struct lam_data csv_data = {.name = "table",
                                   .path = "table.csv",
                                   .tokenizer = &lam_byte_tokenizer,
                                   .split = 0.5,
                                   .columns = csv_columns,
                                   .column_count = COUNT(csv_columns),
                                   .reader = &lam_csv_reader};
static struct lam_model csv_model = {.name = "m"};
static struct lam_program csv_program = {
    .name = "table",
    .model = &csv_model,
    .target = "hand",
    .data = &csv_data,
    .verbs = tiny_verbs,
    .routines = {[LAM_TRAIN] = {1, NULL, csv_inputs, COUNT(csv_inputs), NULL, 0, 0}}};

static struct lam_dataset *csv_open(const char *text, struct lam_pairs *facts) {
  tiny_write("table.csv", text, strlen(text));
  tiny_capture();
  struct lam_dataset *dataset = lam_dataset_open(&csv_program, LAM_TRAIN, NULL, 0, facts);
  tiny_release();
  return dataset;
}

static void csv_row(struct lam_dataset *dataset, int number) {
  void **batch = lam_batch_create(dataset);
  struct lam_row row = lam_dataset_row(dataset, LAM_EVERYTHING, number);
  lam_batch_fill(batch, dataset, 0, &row);
  lam_batch_deliver(batch, dataset);
  lam_batch_free(batch, dataset);
}

static void test_csv(void) {
  struct lam_pairs facts = {0};
  struct lam_dataset *dataset = csv_open(
      "\xEF\xBB\xBF"
      "text,size,\"kind\",other\r\n"
      "abc,1.5,red,\r\n"
      "\r\n"
      "\"a,\"\"b\"\"\nc\", 2e1 ,\"blue\",\"x\ny\"\n"
      "\"\",-3,red,z\n"
      "abcdefgh,0,\"light \"\"green\"\"\",",
      &facts);
  if (!CHECK(dataset != NULL)) return;
  CHECK(dataset->units == 4 && dataset->training == 2);
  csv_row(dataset, 0);
  CHECK(csv_number[0] == (lam_real)1.5 && csv_class[0] == 0);
  CHECK(!memcmp(csv_ids, (int32_t[]){1, 'a', 'b', 'c', 0, 0}, sizeof csv_ids));
  CHECK(!memcmp(csv_next, (int32_t[]){'a', 'b', 'c', 2, 0, 0}, sizeof csv_next));
  CHECK(!memcmp(csv_present, (uint8_t[]){1, 1, 1, 1, 0, 0}, 6));
  CHECK(!memcmp(csv_weight, (lam_real[]){1, 1, 1, 1, 0, 0}, sizeof csv_weight));
  csv_row(dataset, 1);
  CHECK(csv_number[0] == 20 && csv_class[0] == 1);
  CHECK(!memcmp(csv_next, (int32_t[]){'a', ',', '"', 'b', '"', 2}, sizeof csv_next)); /* cut, and the stop comes last */
  csv_row(dataset, 2);
  CHECK(csv_number[0] == -3 && csv_class[0] == 0 && csv_ids[0] == 1 && csv_ids[1] == 0 && csv_next[0] == 2);
  csv_row(dataset, 3);
  CHECK(csv_class[0] == 2 && csv_ids[5] == 'e' && csv_next[4] == 'e' && csv_next[5] == 2);
  /* The weights bring the numbers of categories. */
  dataset = csv_open("size,kind,text\n1,blue,x\n1,red,y", &facts);
  if (!CHECK(dataset != NULL)) return;
  csv_row(dataset, 0);
  CHECK(csv_class[0] == 1);
  CHECK(!csv_open("size,kind,text\n1,purple,x", &facts) &&
        tiny_said("table.csv:2: column kind: \"purple\" is none of the 3"));

  static const struct {
    const char *text, *says;
  } cases[] = {
      {"", "table.csv is empty"},
      {"\n\n", "table.csv is empty"},
      {"size,kind,text\n", "column names and no rows"},
      {"size,kind\n1,a\n", "table.csv:1: there is no column text; there are size, kind"},
      {"size,kind,text\n1,a\n", "table.csv:2: 2 fields, where the header has 3"},
      {"size,kind,text\n1,a,b,c\n", "table.csv:2: 4 fields, where the header has 3"},
      {"size,kind,text\n1,a,\"b\nc\"\nx,a,b\n", "table.csv:4: column size: \"x\" is not a number"},
      {"size,kind,text\n1,a,b\n\n\n,a,b\n", "table.csv:5: column size: \"\" is not a number"},
      {"size,kind,text\nnan,a,b\n", "table.csv:2: column size: \"nan\" is not a number"},
      {"size,kind,text\n1,a,\"b\n", "table.csv:2: a quote without its end"},
      {"size,kind,text\n1,\"a\"b,c\n", "table.csv:2: 'b' after a quoted field"},
      {"size,kind,text\r1,a,b\r\r\"2\"x,a,b\r", "table.csv:4: 'x' after a quoted field"},
      {"size,kind,text\r1,a,\"b\rc\"\rx,a,b\r", "table.csv:4: column size: \"x\" is not a number"},
      {"size,kind,text\r1,a,b\r2,\"a,b\r\n", "table.csv:3: a quote without its end"},
      {"\n\nsize,kind\n1,a\n", "table.csv:3: there is no column text; there are size, kind"},
      {"size,kind,text,size\n1,a,b,2\n", "table.csv:1: two columns are called size"},
      {"size,kind,text\n1,a,b,\n", "table.csv:2: 4 fields, where the header has 3"},
      /* a quote after a blank is none */
      {"size,kind,text\n1, \"a,b\", c\n", "table.csv:2: 4 fields, where the header has 3"},
      {"size,kind,text\n1e39,a,b\n", "table.csv:2: column size: \"1e39\" is not a number"},
      {"size,kind,text\n1,a,b\n\x1b[2J,a,b\n", "table.csv:3: column size: \"\\x1b[2J\" is not a number"},
      {"size,kind,text\n1,\"a\"\xC2\x9B,c\n", "table.csv:2: '\\u009b' after a quoted field"},
      {"size,kind,text\n1,a,b\n1,b,b\n1,c,b\n1,d,b\n",
       "table.csv:5: column kind: \"d\" is different value number 4, and its axis has 3"},
  };
  for (int i = 0; i < COUNT(cases); i++) {
    struct lam_pairs fresh = {0};
    CHECK(!csv_open(cases[i].text, &fresh));
    CHECK(tiny_said(cases[i].says));
  }
  tiny_write("table.csv", "size,kind,text\n1,a\0,b\n", 22);
  tiny_capture();
  CHECK(!lam_dataset_open(&csv_program, LAM_TRAIN, NULL, 0, &facts));
  tiny_release();
  CHECK(tiny_said("table.csv:2: a zero byte"));
  csv_data.tokenizer = &lam_char_tokenizer;
  struct lam_pairs fresh = {0};
  CHECK(!csv_open("size,kind,text\n1,a,b\n1,b,\"\n\xFF\"\n", &fresh) &&
        tiny_said("table.csv:3: column text: byte 0xff in line 2 is not UTF-8"));
  struct lam_pairs other = {0};
  dataset = csv_open("size,kind,text\n1,a,cab\n", &other);
  if (!CHECK(dataset != NULL)) return;
  csv_row(dataset, 0);
  CHECK(dataset->vocabulary.count == 3 && csv_next[0] == 2 && csv_next[1] == 0 && csv_next[2] == 1);
}

/* What the rows hold, as "SIZE=TEXT;". */
static const char *csv_rows(const char *text) {
  static char rows[256];
  struct lam_pairs facts = {0};
  struct lam_dataset *dataset = csv_open(text, &facts);
  size_t used = 0;
  *rows = 0;
  for (int row = 0; dataset && row < dataset->units; row++) {
    csv_row(dataset, row);
    used += (size_t)snprintf(rows + used, sizeof rows - used, "%g=", (double)csv_number[0]);
    for (int i = 0; i < CSV_LENGTH && csv_next[i] != 2; i++) rows[used++] = (char)csv_next[i];
    rows[used++] = ';', rows[used] = 0;
  }
  lam_dataset_close(dataset);
  return dataset ? rows : "refused";
}

/* The results of Python's csv.reader for the same texts, opened with newline = "", without empty rows. */
static void test_csv_lines(void) {
  static const struct {
    const char *text, *rows;
  } cases[] = {
      {"size,kind,text\n1,a,b\n2,a,c\n", "1=b;2=c;"},
      {"size,kind,text\r\n1,a,b\r\n2,a,c\r\n", "1=b;2=c;"},
      {"size,kind,text\r1,a,b\r2,a,c\r", "1=b;2=c;"},
      {"size,kind,text\r1,a,b\r2,a,c", "1=b;2=c;"},
      {"size,kind,text\r1,a,b\n2,a,c\r\n3,a,d", "1=b;2=c;3=d;"},
      {"size,kind,text\r\r\r1,a,b\n\r2,a,c\r\r\n\n3,a,d", "1=b;2=c;3=d;"},
      /* After a quoted field, where a lone CR used to swallow what came next. */
      {"size,kind,\"text\"\r1,a,\"b\"\r2,a,\"c\"\r", "1=b;2=c;"},
      {"size,kind,\"text\"\r12,a,\"b\"\r23,a,\"c\"", "12=b;23=c;"},
      {"size,\"kind\",text\n\"1\",\"a\",\"b\"\r\"2\",\"a\",\"c\"\r\n\"3\",\"a\",\"\"", "1=b;2=c;3=;"},
      /* Line ends and quotes inside of quotes stay; quotes inside of a field are characters. */
      {"size,kind,text\n1,a,\"b\rc\"\n2,a,\"b\r\nc\"\n3,a,\"\"\"\"\n4,a,b\"c\n5,a,b\"\"\n6,a, \"b\"",
       "1=b\rc;2=b\r\nc;3=\";4=b\"c;5=b\"\";6= \"b\";"},
      {"\xEF\xBB\xBFsize,kind,text\r1,a,\xEF\xBB\xBF", "1=\xEF\xBB\xBF;"},
      {"\xEF\xBB\xBF\"size\",kind,text\r1,a,b", "1=b;"},
      {"size,kind,text,\r1,a,b,\r2,a,c,", "1=b;2=c;"},
      {"\r\n\n size,size,kind,text\n0,1,a,b\n", "1=b;"},
      {" 1,size,kind,text\n\"\",\t-1e-3 ,a,\n", "-0.001=;"},
  };
  for (int i = 0; i < COUNT(cases); i++) {
    if (!CHECK_STRING(csv_rows(cases[i].text), cases[i].rows)) tiny_said("what it said");
  }
}

/* --- Text --------------------------------------------------------------------------------------------------------- */

static void test_utf8(void) {
  static const struct {
    const char *text;
    int length;
    uint32_t code;
  } cases[] = {{"a", 1, 'a'},
               {"\xC3\xA9", 2, 0xE9},
               {"\xE2\x82\xAC", 3, 0x20AC},
               {"\xF0\x9F\x98\x80", 4, 0x1F600},
               {"\xEF\xBF\xBF", 3, 0xFFFF},
               {"\xF4\x8F\xBF\xBF", 4, 0x10FFFF},
               {"\xF4\x90\x80\x80", 0, 0},
               {"\xC0\x80", 0, 0},
               {"\xC1\xBF", 0, 0},
               {"\xE0\x9F\xBF", 0, 0},
               {"\xF0\x8F\xBF\xBF", 0, 0},
               {"\xED\xA0\x80", 0, 0},
               {"\x80", 0, 0},
               {"\xFF", 0, 0},
               {"\xC3", 0, 0},
               {"\xC3(", 0, 0},
               {"\xE2\x82", 0, 0}};
  for (int i = 0; i < COUNT(cases); i++) {
    uint32_t code = 0;
    char back[4];
    CHECK(lam_utf8_read(cases[i].text, strlen(cases[i].text), &code) == cases[i].length);
    if (!cases[i].length) continue;
    CHECK(code == cases[i].code);
    CHECK(lam_utf8_write(code, back) == cases[i].length && !memcmp(back, cases[i].text, (size_t)cases[i].length));
  }
  uint32_t code;
  CHECK(lam_utf8_read("", 0, &code) == 0);
  CHECK(lam_utf8_read("\0", 1, &code) == 1 && code == 0);
}

static void test_tokenizer(void) {
  const char text[] = "z\xF0\x9F\x98\x80\xC3\xA9\n\0az";
  struct lam_vocabulary vocabulary = {.tokenizer = &lam_char_tokenizer}, again;
  struct lam_pairs facts = {0};
  int32_t ids[16];
  char message[LAM_MESSAGE];
  CHECK(lam_learn_characters(&vocabulary, text, sizeof text - 1, message) == LAM_OK);
  CHECK(vocabulary.count == 6); /* \0 \n a z e-acute face */
  CHECK(lam_encode(&vocabulary, text, sizeof text - 1, ids, 16, message) == 7);
  CHECK(!memcmp(ids, (int32_t[]){3, 5, 4, 1, 0, 2, 3}, 7 * sizeof *ids));
  CHECK(lam_vocabulary_recall(&again, &lam_char_tokenizer, &facts, message) == LAM_WRONG_FILE && !*message);
  CHECK(lam_vocabulary_remember(&vocabulary, &facts));
  CHECK(lam_vocabulary_recall(&again, &lam_char_tokenizer, &facts, message) == LAM_OK && again.count == 6 &&
        !memcmp(again.codes, vocabulary.codes, 6 * sizeof *again.codes));
  char all[32];
  size_t used = 0;
  for (int i = 0; i < 7; i++) used += (size_t)lam_decode(&again, ids[i], all + used);
  CHECK(used == sizeof text - 1 && !memcmp(all, text, used));
  CHECK(lam_decode(&again, 6, all) == 0 && lam_decode(&again, -1, all) == 0);
  CHECK(lam_vocabulary_recall(&again, &lam_byte_tokenizer, &facts, message) == LAM_OK && again.count == 256 &&
        lam_encode(&again, "\xFF\x01", 2, ids, 16, message) == 2 && ids[0] == 255 && ids[1] == 1);
  CHECK(lam_decode(&again, 255, all) == 1 && (unsigned char)all[0] == 255);
}

/* The windows of a part cover each of its targets once; none crosses the border between training and validation. */
static void test_windows(void) {
  enum { TOKENS = 107 };
  char text[TOKENS + 1];
  for (int i = 0; i < TOKENS; i++) text[i] = (char)('a' + i % 11);
  tiny_write("letters.txt", text, TOKENS);
  struct lam_pairs facts = {0};
  struct lam_dataset *dataset = lam_dataset_open(&bigram_program, LAM_TRAIN, NULL, 0, &facts);
  CHECK(dataset->units == TOKENS && dataset->training == 96 && dataset->window == BIGRAM_LENGTH && dataset->shifted &&
        dataset->partial);
  const enum lam_part parts[] = {LAM_TRAINING, LAM_VALIDATION, LAM_EVERYTHING};
  const int64_t begins[] = {0, 96, 0}, ends[] = {96, TOKENS, TOKENS};
  for (int p = 0; p < 3; p++) {
    int64_t target = begins[p];
    for (int64_t w = 0; w < lam_dataset_examples(dataset, parts[p]); w++) {
      void **batch = lam_batch_create(dataset);
      struct lam_row row = lam_dataset_row(dataset, parts[p], w);
      for (int i = 0; i < BIGRAM_BATCH; i++) lam_batch_fill(batch, dataset, i, &row);
      lam_batch_deliver(batch, dataset);
      lam_batch_free(batch, dataset);
      for (int i = 0; i < BIGRAM_LENGTH; i++) {
        bool real = target + 1 < ends[p];
        CHECK(bigram_weight[i] == real);
        if (!real) continue;
        CHECK(bigram_tokens[i] == target % 11 && bigram_next[i] == (target + 1) % 11);
        target++;
      }
    }
    CHECK(target == ends[p] - 1);
  }
}

/* The batches are the same whatever else runs, and however the run is cut into parts. */
static void test_feed(void) {
  struct lam_pairs facts = {0};
  struct lam_dataset *dataset = lam_dataset_open(&line_program, LAM_TRAIN, NULL, 9, &facts);
  int seen[LINE_EXAMPLES] = {0};
  int32_t order[30][LINE_BATCH];
  for (int pass = 0; pass < 2; pass++) {
    struct lam_run run = {.seed = 9, .step = pass ? 12 : 0, .rows = pass ? 12 * LINE_BATCH : 0};
    struct lam_feed *feed = lam_feed_start(dataset, &run, 1);
    for (int i = (int)run.step; i < 30; i++) {
      lam_feed_next(feed);
      if (pass) CHECK(!memcmp(order[i], line_example, sizeof order[i]));
      memcpy(order[i], line_example, sizeof order[i]);
      for (int k = 0; k < LINE_BATCH; k++) {
        CHECK(line_x[k] == line_made_x[line_example[k]] && line_y[k] == line_made_y[line_example[k]]);
        if (!pass && i < 10) seen[line_example[k]]++;
      }
    }
    lam_feed_stop(feed);
  }
  for (int i = 0; i < LINE_EXAMPLES; i++) CHECK(seen[i] == (i < 40)); /* the training part, once in an epoch */
  CHECK(memcmp(order[0], order[10], sizeof order[0]) != 0); /* another order in the next */
  /* Of random windows, two batches accumulated in a step draw the same as one of twice the size. */
  struct lam_dataset *text = lam_dataset_open(&bigram_program, LAM_TRAIN, NULL, 0, &facts);
  struct lam_run run = {.seed = 4};
  struct lam_feed *feed = lam_feed_start(text, &run, 2);
  int distinct = 0;
  int32_t before = -1;
  for (int i = 0; i < 20; i++) {
    lam_feed_next(feed);
    distinct += bigram_tokens[0] != before;
    before = bigram_tokens[0];
    for (int k = 0; k < BIGRAM_LENGTH; k++) CHECK(bigram_weight[k] == 1);
  }
  lam_feed_stop(feed);
  CHECK(distinct > 10);
}

/* --- Draws -------------------------------------------------------------------------------------------------------- */

static void test_draws(void) {
  for (int i = 0; i < 1000; i++) {
    uint32_t seed = (uint32_t)check_random(), stream = (uint32_t)check_random(), step = (uint32_t)check_random(),
             words[4];
    uint32_t example = (uint32_t)check_random();
    uint64_t element = check_random();
    lam_philox(seed, stream, step, example, element, words);
    CHECK_NEAR(lam_uniform_draw(words), random_draw(DISTRIBUTION_UNIFORM, seed, stream, step, example, element), 0);
    CHECK_NEAR(lam_normal_draw(words), random_draw(DISTRIBUTION_NORMAL, seed, stream, step, example, element), 0);
  }
  /* The paper's reference vector. */
  uint32_t words[4];
  lam_philox(0xa4093822, 0x299f31d0, 0x243f6a88, 0x85a308d3, 0x0370734413198a2eu, words);
  CHECK(words[0] == 0xd16cfe09 && words[1] == 0x94fdcceb && words[2] == 0x5001e420 && words[3] == 0x24126ea1);
  lam_real table[24];
  struct lam_tensor tensor = {.name = "x",
                              .rank = 2,
                              .shape = {4, 6},
                              .initial = LAM_NORMAL,
                              .low = 1,
                              .high = 0.5,
                              .stream = 99,
                              .data = table};
  struct lam_model model = {.tensors = &tensor, .tensor_count = 1};
  lam_initialize(&model, 7);
  for (int i = 0; i < 24; i++)
    CHECK_NEAR(table[i], (lam_real)(1 + 0.5 * random_draw(DISTRIBUTION_NORMAL, 7, 99, 0, 0, (uint64_t)i)), 0);
}

static void test_shuffle(void) {
  enum { COUNT_ALL = 1000 };
  uint32_t order[COUNT_ALL], other[COUNT_ALL];
  bool seen[COUNT_ALL] = {0};
  int fixed = 0;
  lam_shuffle(order, COUNT_ALL, 1, 2);
  lam_shuffle(other, COUNT_ALL, 1, 2);
  CHECK(!memcmp(order, other, sizeof order));
  lam_shuffle(other, COUNT_ALL, 1, 3);
  CHECK(memcmp(order, other, sizeof order) != 0);
  for (int i = 0; i < COUNT_ALL; i++) {
    CHECK(order[i] < COUNT_ALL && !seen[order[i]]);
    seen[order[i]] = true;
    fixed += order[i] == (uint32_t)i;
  }
  CHECK(fixed < 10);
  /* All orders of three come about equally often. */
  int counts[27] = {0};
  for (uint32_t i = 0; i < 6000; i++) {
    lam_shuffle(order, 3, 5, i);
    counts[order[0] * 9 + order[1] * 3 + order[2]]++;
  }
  for (int i = 0; i < 27; i++) CHECK(counts[i] == 0 || (counts[i] > 850 && counts[i] < 1150));
}

static int64_t sample_of(const double *logits, int64_t count, double temperature, int64_t top_k, double top_p,
                         double uniform) {
  double memory[3 * 16];
  const struct lam_sampling sampling = {temperature, top_p, top_k};
  return lam_choose(logits, 1, count, count, -1, sampling, uniform, memory);
}

static void test_sampling(void) {
  enum { IDS = 6, DRAWS = 20000 };
  static const double shares[IDS] = {0.05, 0.4, 0.1, 0.25, 0.15, 0.05};
  static const struct {
    double temperature;
    int64_t top_k;
    double top_p;
    double expected[IDS];
  } cases[] = {
      {1, 0, 1, {0.05, 0.4, 0.1, 0.25, 0.15, 0.05}},
      {0, 0, 1, {0, 1, 0, 0, 0, 0}},
      {1, 1, 1, {0, 1, 0, 0, 0, 0}},
      {1, 2, 1, {0, 0.4 / 0.65, 0, 0.25 / 0.65, 0, 0}},
      {1, 0, 0.7, {0, 0.5, 0, 0.3125, 0.1875, 0}},
      {1, 0, 0.01, {0, 1, 0, 0, 0, 0}},
      {1, 0, 0, {0, 1, 0, 0, 0, 0}},
      {1, 3, 0.6, {0, 0.4 / 0.65, 0, 0.25 / 0.65, 0, 0}}, /* of three with 0.8: two reach 0.6 of it, 0.48 */
      {0.5, 0, 1, {0.0025 / 0.26, 0.16 / 0.26, 0.01 / 0.26, 0.0625 / 0.26, 0.0225 / 0.26, 0.0025 / 0.26}},
      {1, 100, 1, {0.05, 0.4, 0.1, 0.25, 0.15, 0.05}},
  };
  double logits[IDS];
  for (int i = 0; i < IDS; i++) logits[i] = log(shares[i]) + 300;
  for (int c = 0; c < COUNT(cases); c++) {
    int counts[IDS] = {0};
    for (int i = 0; i < DRAWS; i++) {
      int64_t id = sample_of(logits, IDS, cases[c].temperature, cases[c].top_k, cases[c].top_p, (i + 0.5) / DRAWS);
      if (CHECK(id >= 0 && id < IDS)) counts[id]++;
    }
    for (int i = 0; i < IDS; i++) CHECK_NEAR((double)counts[i] / DRAWS, cases[c].expected[i], 1e-3);
  }
  double masked[3] = {-INFINITY, 1, -INFINITY};
  CHECK(sample_of(masked, 3, 1, 0, 1, 0.999999) == 1 && sample_of(masked, 3, 1, 2, 1, 0.999999) == 1);
  double broken[3] = {1, NAN, 0};
  CHECK(sample_of(broken, 3, 1, 0, 1, 0.5) == -1);
  /* Ties go to the smaller id. */
  double flat[4] = {0, 0, 0, 0};
  CHECK(sample_of(flat, 4, 0, 0, 1, 0.9) == 0 && sample_of(flat, 4, 1, 2, 1, 0.99) == 1);
}

static void test_masking(void) {
  enum { LENGTH = 20000 };
  static int32_t tokens[LENGTH], again[LENGTH];
  static lam_real weight[LENGTH];
  struct lam_data data = {.mask = 0.15};
  struct lam_dataset dataset = {.data = &data, .path = "t", .vocabulary = {&lam_byte_tokenizer, NULL, 256}, .seed = 3};
  struct lam_row row = {0, LENGTH - 1, 5, 6};
  int chosen = 0, masked = 0, kept = 0;
  for (int i = 0; i < LENGTH; i++) tokens[i] = again[i] = 100;
  lam_masking.apply(&dataset, &row, LENGTH, tokens, weight);
  lam_masking.apply(&dataset, &row, LENGTH, again, NULL);
  CHECK(!memcmp(tokens, again, sizeof tokens));
  for (int i = 0; i < LENGTH; i++) {
    chosen += weight[i] == 1;
    masked += tokens[i] == 3;
    kept += weight[i] == 1 && tokens[i] == 100;
    if (weight[i] == 0) CHECK(tokens[i] == 100);
  }
  CHECK(weight[LENGTH - 1] == 0);
  CHECK_NEAR((double)chosen / LENGTH, 0.15, 0.01);
  CHECK_NEAR((double)masked / chosen, 0.8, 0.03);
  CHECK_NEAR((double)kept / chosen, 0.1, 0.03);
  dataset.vocabulary = (struct lam_vocabulary){&lam_char_tokenizer, NULL, 65};
  tiny_capture();
  CHECK(lam_masking.check(&dataset, 66) && !lam_masking.check(&dataset, 65));
  tiny_release();
  CHECK(tiny_said("must be at least 66, not 65"));
}

int main(void) {
  tiny_folder();
  line_prepare();
  test_csv();
  csv_data.tokenizer = &lam_byte_tokenizer;
  test_csv_lines();
  test_utf8();
  test_tokenizer();
  test_windows();
  test_feed();
  test_draws();
  test_shuffle();
  test_sampling();
  test_masking();
  return check_done("runtime_data");
}
