/* Files of weights that are wrong in every way, files that are right, and writes that are cut off. */
#include "tests/unit/check.h"
#include "tests/unit/tiny_program.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

/* Writes a file of a header and so many bytes of data; `claimed` >= 0 is the length of the header that it claims. */
static void write_file(const char *path, const char *header, int64_t claimed, int data) {
  static char bytes[4096];
  size_t length = strlen(header);
  uint64_t said = claimed >= 0 ? (uint64_t)claimed : length;
  for (int i = 0; i < 8; i++) bytes[i] = (char)(said >> 8 * i);
  memcpy(bytes + 8, header, length);
  for (int i = 0; i < data; i++) bytes[8 + length + (size_t)i] = (char)i;
  tiny_write(path, bytes, 8 + length + (size_t)data);
}

static void test_bad_files(void) {
  static const struct {
    const char *header;
    int64_t claimed;
    int data;
    const char *says;
  } cases[] = {
      {"", -1, 0, "an object was expected"},
      {"{}", 100, 0, "its header would take 100 bytes"},
      {"{}", INT64_MAX, 0, "its header would take"},
      {"{}", 99999999999, 0, "its header would take"},
      {"[]", -1, 0, "an object was expected"},
      {"{", -1, 0, "a string was expected"},
      {"{}x", -1, 0, "something stands after"},
      {"{} ", -1, 4, "4 bytes at its end belong to no tensor"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 7, "the file, which is not whole"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 9, "1 bytes at its end"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}", -1, 16, "does not begin where"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", -1, 8,
       "tensor a (F32) has another size than its shape says"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", -1, 8, "another size than its shape says"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", -1, 0,
       "impossibly large"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,8]}}", -1, 8, "too large"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}", -1, 8, "too large"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,99999999999999999999]}}", -1, 8, "too large"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", -1, 8, "a natural number was expected"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[02],\"data_offsets\":[0,8]}}", -1, 8, "begins with 0"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", -1, 8,
       "a list that is too long"},
      {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 8, "tensor a (F31) has an unknown type"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", -1, 8, "without dtype, shape or data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 8, "a key twice"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}", -1, 8, "other than dtype"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", -1, 8, "data_offsets is not two numbers"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
       "offsets\":[4,12]}}",
       -1, 12, "overlaps another"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
       "offsets\":[0,8]}}",
       -1, 8, "overlaps another"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
       "offsets\":[12,20]}}",
       -1, 20, "does not begin where"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
       "offsets\":[2,4]}}",
       -1, 4, "tensor a stands twice"},
      {"{\"__metadata__\":1}", -1, 0, "an object was expected"},
      {"{\"__metadata__\":{\"a\":1}}", -1, 0, "a string was expected"},
      {"{\"__metadata__\":{\"a\":\"b\"},\"__metadata__\":{}}", -1, 0, "__metadata__ stands twice"},
      {"{\"a\\ud800\":{}}", -1, 0, "half a surrogate pair"},
      {"{\"a\\u12g4\":{}}", -1, 0, "without four hexadecimal digits"},
      {"{\"a\\q\":{}}", -1, 0, "a backslash before a letter"},
      {"{\"a\\u0000b\":{}}", -1, 0, "a zero inside a name"},
      {"{\"a\nb\":{}}", -1, 0, "a control character"},
      {"{\"a", -1, 0, "a string without end"},
      {"{\"a\"", -1, 0, "':' was expected"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", -1, 8, "',' or '}' was expected"},
  };
  for (int i = 0; i < COUNT(cases); i++) {
    write_file("bad.safetensors", cases[i].header, cases[i].claimed, cases[i].data);
    tiny_capture();
    struct lam_weights *weights = lam_weights_open("bad.safetensors", lam_join_parts);
    tiny_release();
    CHECK(!weights);
    if (!CHECK(tiny_said(cases[i].says))) printf("  of case %d: %s\n", i, cases[i].header);
  }
  tiny_write("bad.safetensors", "short", 5);
  tiny_capture();
  CHECK(!lam_weights_open("bad.safetensors", lam_join_parts));
  CHECK(!lam_weights_open(".", lam_join_parts));
  CHECK(!lam_weights_open("absent.safetensors", lam_join_parts));
  tiny_release();
}

/* Every prefix of a good file, and every file with one byte changed, is read or refused; nothing is read outside of it.
   */
static void test_damage(void) {
  const char *header =
      "{\"__metadata__\":{\"k\":\"v\\u00e9\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
      "\"b\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[8,12]}}";
  static char whole[512];
  size_t length;
  write_file("good.safetensors", header, -1, 12);
  memcpy(whole, tiny_read("good.safetensors", &length), sizeof whole);
  tiny_capture();
  int good = 0, opened = 0;
  for (size_t cut = 0; cut <= length; cut++) {
    tiny_write("cut.safetensors", whole, cut);
    struct lam_weights *weights = lam_weights_open("cut.safetensors", lam_join_parts);
    good += weights != NULL;
    lam_weights_close(weights);
  }
  for (size_t at = 0; at < length; at++)
    for (int bit = 0; bit < 8; bit++) {
      whole[at] ^= (char)(1 << bit);
      tiny_write("cut.safetensors", whole, length);
      whole[at] ^= (char)(1 << bit);
      struct lam_weights *weights = lam_weights_open("cut.safetensors", lam_join_parts);
      for (int64_t i = 0; weights && i < weights->count; i++) {
        lam_real numbers[16];
        lam_weights_read(weights, &weights->entries[i], LAM_TYPE_REAL, numbers);
      }
      opened += weights != NULL;
      lam_weights_close(weights);
    }
  tiny_release();
  CHECK(good == 1); /* the whole one */
  CHECK(opened > 0);
}

static void test_types(void) {
  const char *header =
      "{\"half\":{\"dtype\":\"F16\",\"shape\":[8],\"data_offsets\":[0,16]},"
      "\"brain\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[16,20]},"
      "\"double\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[20,28]},"
      "\"long\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[28,44]},"
      "\"small\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[44,45]},"
      "\"truth\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[45,47]}}";
  static const uint16_t halves[] = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x7C00, 0x7E00, 0x0400, 0x8000},
                        brains[] = {0x3F80, 0xC0A0};
  static const double expected[] = {1, -2, 65504, 5.9604644775390625e-08, INFINITY, NAN, 6.103515625e-05, 0};
  double third = 1.0 / 3;
  int64_t longs[] = {-7, (int64_t)1 << 40};
  char bytes[1024];
  size_t length = strlen(header);
  memset(bytes, 0, sizeof bytes);
  bytes[0] = (char)length, bytes[1] = (char)(length >> 8);
  memcpy(bytes + 8, header, length);
  char *data = bytes + 8 + length;
  memcpy(data, halves, 16), memcpy(data + 16, brains, 4), memcpy(data + 20, &third, 8), memcpy(data + 28, longs, 16);
  data[46] = 1;
  tiny_write("types.safetensors", bytes, 8 + length + 47);
  struct lam_weights *weights = lam_weights_open("types.safetensors", lam_join_parts);
  if (!CHECK(weights != NULL)) return;
  lam_real reals[8];
  int32_t integers[2];
  uint8_t truths[2];
  CHECK(lam_weights_read(weights, lam_weights_find(weights, "half"), LAM_TYPE_REAL, reals));
  for (int i = 0; i < 8; i++) CHECK_NEAR(reals[i], expected[i], 0);
  CHECK(lam_weights_read(weights, lam_weights_find(weights, "brain"), LAM_TYPE_REAL, reals) && reals[0] == 1 &&
        reals[1] == -5);
  CHECK(lam_weights_read(weights, lam_weights_find(weights, "double"), LAM_TYPE_REAL, reals) &&
        reals[0] == (lam_real)third);
  CHECK(lam_weights_read(weights, lam_weights_find(weights, "truth"), LAM_TYPE_BOOLEAN, truths) && !truths[0] &&
        truths[1]);
  tiny_capture();
  CHECK(!lam_weights_read(weights, lam_weights_find(weights, "long"), LAM_TYPE_REAL, reals));
  CHECK(!lam_weights_read(weights, lam_weights_find(weights, "long"), LAM_TYPE_INTEGER, integers));
  CHECK(!lam_weights_read(weights, lam_weights_find(weights, "small"), LAM_TYPE_REAL, reals));
  CHECK(!lam_weights_read(weights, lam_weights_find(weights, "half"), LAM_TYPE_INTEGER, integers));
  tiny_release();
  CHECK(!lam_weights_find(weights, "none"));
  lam_weights_close(weights);
}

/* Steps and a scale, of which an element is for a block of neighbours, are read as reals under the name of the tensor. */
static void test_steps(void) {
  static const float scales[] = {0.5f, 0.25f, 2, -1, 3, 0};
  const char *header =
      "{\"w/i8\":{\"dtype\":\"I8\",\"shape\":[4,4],\"data_offsets\":[0,16]},"
      "\"w/scale\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[16,40]},"
      "\"v/bf16\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[40,42]},"
      "\"n/i4\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[42,44]},"
      "\"n/scale\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[44,48]}}";
  char text[1024], *rows;
  strcpy(text, header);
  lam_real reals[16];
  int8_t steps[16];
  for (int wrong = 1; wrong >= 0; wrong--) { /* three rows of scales do not divide four; two do */
    rows = strstr(text, "[3,2]");
    if (!wrong) memcpy(rows, "[2,2]", 5), memcpy(strstr(text, "[16,40]"), "[16,32]", 7);
    if (!wrong) memcpy(strstr(text, "[40,42]"), "[32,34]", 7), memcpy(strstr(text, "[42,44]"), "[34,36]", 7);
    if (!wrong) memcpy(strstr(text, "[44,48]"), "[36,40]", 7);
    write_file("steps.safetensors", text, -1, wrong ? 48 : 40);
    size_t length;
    char *bytes = tiny_read("steps.safetensors", &length);
    memcpy(bytes + 8 + strlen(text) + 16, scales, wrong ? 24 : 16);
    bytes[8 + strlen(text) + (wrong ? 43 : 35)] = (char)-8;
    tiny_write("steps.safetensors", bytes, length);
    tiny_capture();
    struct lam_weights *weights = lam_weights_open("steps.safetensors", lam_join_parts);
    tiny_release();
    CHECK(wrong ? !weights &&
                      tiny_said("tensor w/scale (F32) has shape [3, 2], which is no scale of w/i8 with shape [4, 4]")
                : weights != NULL);
    if (!weights) continue;
    const struct lam_entry *w = lam_weights_find(weights, "w"), *whole = lam_weights_find(weights, "w/i8");
    if (!CHECK(w && whole && lam_weights_find(weights, "v") && lam_weights_find(weights, "n"))) return;
    CHECK(w->rank == 2 && w->shape[0] == 4 && lam_weights_read(weights, w, LAM_TYPE_REAL, reals));
    for (int i = 0; i < 16; i++) CHECK_NEAR(reals[i], i / 8 ? i * scales[2 + i % 4 / 2] : i * scales[i % 4 / 2], 0);
    lam_read_entry(weights, w, LAM_TYPE_REAL, reals);
    for (int i = 0; i < 16; i++) CHECK_NEAR(reals[i], i / 8 ? i * scales[2 + i % 4 / 2] : i * scales[i % 4 / 2], 0);
    CHECK(lam_weights_read(weights, whole, LAM_TYPE_I8, steps) && steps[15] == 15);
    tiny_capture();
    CHECK(!lam_weights_read(weights, whole, LAM_TYPE_I4, steps));
    CHECK(!lam_weights_read(weights, whole, LAM_TYPE_REAL, reals));
    CHECK(!lam_weights_read(weights, w, LAM_TYPE_INTEGER, reals));
    tiny_release();
    CHECK(tiny_said("tensor w/i8 holds 8, more than 4 bits"));
    lam_weights_close(weights);
  }
  /* A tensor that is there itself counts; one that is there in two ways is a mistake. */
  write_file("steps.safetensors",
             "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
             "\"w/i8\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[4,5]}}",
             -1, 5);
  struct lam_weights *weights = lam_weights_open("steps.safetensors", lam_join_parts);
  if (CHECK(weights != NULL)) CHECK(!lam_weights_find(weights, "w")->scale);
  lam_weights_close(weights);
  write_file("steps.safetensors",
             "{\"w/bf16\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2]},"
             "\"w/f16\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[2,4]}}",
             -1, 4);
  tiny_capture();
  CHECK(!lam_weights_open("steps.safetensors", lam_join_parts));
  tiny_release();
  CHECK(tiny_said("tensor w is there in steps of several kinds"));
}

static void test_round_trip(void) {
  lam_real reals[6] = {0, -1, (lam_real)0.1, 1e30f, 5, 6};
  int32_t integers[2] = {-1, 1 << 30};
  uint8_t truths[3] = {1, 0, 1};
  struct lam_tensor tensors[] = {{.name = "a \"quoted\"\\name", .rank = 2, .shape = {2, 3}, .data = reals},
                                 {.name = "i", .type = LAM_TYPE_INTEGER, .rank = 1, .shape = {2}, .data = integers},
                                 {.name = "t", .type = LAM_TYPE_BOOLEAN, .rank = 1, .shape = {3}, .data = truths},
                                 {.name = "scalar", .data = reals + 4},
                                 {.name = "none", .rank = 2, .shape = {0, 5}, .data = reals}};
  struct lam_pairs metadata = {0};
  const char value[] = "line\nquote\"back\\ \x01 \x7f \xF0\x9F\x98\x80\0end";
  lam_pairs_add(&metadata, "key", value, sizeof value - 1);
  lam_pairs_add(&metadata, "empty", "", 0);
  CHECK(lam_weights_write("round.safetensors", tensors, COUNT(tensors), &metadata));
  struct lam_weights *weights = lam_weights_open("round.safetensors", lam_join_parts);
  if (!CHECK(weights && weights->count == COUNT(tensors))) return;
  const struct lam_pair *pair = lam_pairs_find(&weights->metadata, "key");
  CHECK(pair && pair->length == sizeof value - 1 && memcmp(pair->value, value, pair->length) == 0);
  lam_real back[6];
  const struct lam_entry *entry = lam_weights_find(weights, "a \"quoted\"\\name");
  CHECK(entry && entry->rank == 2 && entry->shape[0] == 2 && entry->shape[1] == 3);
  CHECK(entry && (uintptr_t)entry->data % 4 == 0);
  CHECK(entry && lam_weights_read(weights, entry, LAM_TYPE_REAL, back));
  for (int i = 0; i < 6; i++) CHECK_NEAR(back[i], (float)reals[i], 0);
  lam_weights_close(weights);
}

/* How many names in the folder contain a text. */
static int count_files(const char *part) {
  int count = 0;
  DIR *folder = opendir(".");
  for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
    count += strstr(entry->d_name, part) != NULL;
  closedir(folder);
  return count;
}

/* A process that is killed while it writes, or whose disk is full, leaves the old file as it was. */
static void test_cut_write(void) {
  static lam_real numbers[1 << 16];
  struct lam_tensor tensor = {.name = "x", .rank = 1, .shape = {1 << 16}, .data = numbers};
  struct lam_pairs none = {0};
  size_t length;
  numbers[0] = 1;
  CHECK(lam_weights_write("kept.safetensors", &tensor, 1, &none));
  char *before = malloc(1 << 20);
  memcpy(before, tiny_read("kept.safetensors", &length), 1 << 20);
  numbers[0] = 2;
  for (int limit = 0; limit < 1 << 18; limit += 50000) {
    for (int killed = 0; killed < 2; killed++) {
      pid_t child = fork();
      if (child == 0) {
        tiny_capture();
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)limit, (rlim_t)limit});
        signal(SIGXFSZ, killed ? SIG_DFL : SIG_IGN);
        _exit(lam_weights_write("kept.safetensors", &tensor, 1, &none) ? 0 : 3);
      }
      int status;
      waitpid(child, &status, 0);
      CHECK(killed ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 3);
      size_t now;
      CHECK(memcmp(tiny_read("kept.safetensors", &now), before, length) == 0 && now == length);
      CHECK(count_files(".tmp") == 0);
    }
  }
  free(before);
  CHECK(lam_weights_write("kept.safetensors", &tensor, 1, &none));
  CHECK(count_files(".tmp") == 0);
}

/* Checkpoints of other models and of other shapes. */
static void test_checkpoints(void) {
  CHECK(tiny_run(&line_program, "train --steps 3 --out line.safetensors --quiet") == 0);
  struct lam_run run = {0};
  static const struct {
    const char *header;
    int data;
    const char *says;
  } cases[] = {
      {"{\"slope\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
       "does not fit model linear: it lacks intercept"},
      {"{\"slope\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"intercept\":{\"dtype\":\"F32\",\"shape\":"
       "[],\"data_offsets\":[4,8]}}",
       8, "tensor slope has axes [1] in the file and [] in the model"},
      {"{\"slope\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]},\"intercept\":{\"dtype\":\"F32\",\"shape\":["
       "],\"data_offsets\":[4,8]}}",
       8, "tensor slope holds I32, where F32, F16, BF16 or F64 are wanted"},
  };
  for (int i = 0; i < COUNT(cases); i++) {
    write_file("other.safetensors", cases[i].header, -1, cases[i].data);
    tiny_capture();
    CHECK(!lam_checkpoint_load(&line_program, &run, "other.safetensors", LAM_USE));
    tiny_release();
    CHECK(tiny_said(cases[i].says));
  }
  CHECK(tiny_run(&bigram_program, "generate --weights line.safetensors") == 1);
  CHECK(tiny_said("(linear) does not fit model bigram: it lacks table; it has intercept, slope"));
  write_file("weights.safetensors",
             "{\"slope\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},\"intercept\":{\"dtype\":\"F32\","
             "\"shape\":[],\"data_offsets\":[4,8]},"
             "\"extra\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]}}",
             -1, 12);
  CHECK(tiny_run(&line_program, "train --resume --out weights.safetensors") == 1);
  CHECK(tiny_said("does not say \"step\""));
  CHECK(tiny_run(&line_program, "train --steps 0 --init weights.safetensors --out new.safetensors") == 0);
  CHECK(tiny_said("weights.safetensors has extra, which model linear does not use"));
  /* Axes of one length in another order are told apart by their names. */
  static lam_real table[256];
  struct lam_tensor tensor = {.name = "table", .rank = 2, .shape = {16, 16}, .data = table};
  struct lam_pairs metadata = {0};
  lam_pairs_add(&metadata, "axes:table", "next,ids", 8);
  CHECK(lam_weights_write("turned.safetensors", &tensor, 1, &metadata));
  CHECK(tiny_run(&bigram_program, "generate --weights turned.safetensors") == 1);
  CHECK(tiny_said("tensor table has axes [next=16, ids=16] in the file and [ids=16, next=16] in the model"));
}

/* Axes may have other names than before, but not the same names in another order, whatever the weights are used for. */
static void test_axis_names(void) {
  static const struct {
    const char *there, *here;
    bool fits;
  } cases[] = {
      {"a,b", "a,b", true},    {"a,b", "x,y", true},     {"a,b", "a,y", true}, {"a,b", "x,b", true},
      {"a,b", "b,a", false},   {"a,b", "b,c", true},     {"a,b", "c,a", true}, {"a,b", "ab,a", true},
      {"ab,a", "a,ab", false}, {"a,ab", "ab,abc", true}, {"", "a,b", true},
  };
  static lam_real table[BIGRAM_IDS * BIGRAM_IDS];
  const char *before = bigram_tensors[0].axes;
  for (int i = 0; i < COUNT(cases); i++) {
    struct lam_tensor tensor = {.name = "table", .rank = 2, .shape = {BIGRAM_IDS, BIGRAM_IDS}, .data = table};
    struct lam_pairs metadata = {0};
    static const char *const numbers[] = {"step", "steps", "rows", "seed"};
    for (int k = 0; k < 4; k++) lam_pairs_add(&metadata, numbers[k], "1", 1);
    lam_pairs_add(&metadata, "axes:table", cases[i].there, strlen(cases[i].there));
    CHECK(lam_weights_write("axes.safetensors", &tensor, 1, &metadata));
    bigram_tensors[0].axes = cases[i].here;
    enum { GO_ON = LAM_START_FROM + 1 }; /* a program of another version of the spec */
    for (int purpose = LAM_USE; purpose <= GO_ON; purpose++) {
      struct lam_run run = {0};
      int64_t version = 5;
      bigram_program.model->version = &version;
      for (int k = 0; k < BIGRAM_IDS; k++) bigram_table[k] = 7, table[k] = 0;
      tiny_capture();
      bool loaded = purpose == GO_ON
                        ? lam_checkpoint_go_on(&bigram_program, &run, "axes.safetensors")
                        : lam_checkpoint_load(&bigram_program, &run, "axes.safetensors", (enum lam_purpose)purpose);
      tiny_release();
      CHECK(loaded == (cases[i].fits || purpose == GO_ON) && (bigram_table[0] == 0) == cases[i].fits);
      CHECK(version == (loaded ? 6 : 5)); /* what was derived of parameters is out of date */
      bigram_program.model->version = NULL;
      if (!cases[i].fits) CHECK(tiny_said(purpose == GO_ON ? "of another shape: table" : "tensor table has axes ["));
    }
    lam_pairs_free(&metadata);
  }
  bigram_tensors[0].axes = before;
}

/* A signal in the middle of writing a file leaves no part of it. */
static void test_signals(void) {
  static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  for (int i = 0; i < COUNT(signals); i++) {
    pid_t child = fork();
    if (child == 0) {
      struct lam_output output;
      signal(signals[i], SIG_DFL); /* an earlier test trained, and training handles them */
      tiny_capture();
      if (!lam_output_open(&output, "half.json") || fputs("half", output.stream) < 0 || count_files(".tmp") != 1)
        _exit(1);
      raise(signals[i]);
      _exit(2);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
    CHECK(count_files("half") == 0);
  }
}

/* Names and contents of files are shown so that they never drive a terminal. */
static void test_control_characters(void) {
  char shown[LAM_SHOWN];
  CHECK_STRING(lam_shown(shown, "a\x1b[31m\x7f\r\n\tb"), "a\\x1b[31m\\x7f\\x0d\\x0a\\x09b");
  CHECK_STRING(lam_shown(shown, "\xC2\x9B\xC2\x80\xC2\xA0\xC3\x9B\xE2\x82\xAC\xF0\x9F\x98\x80"),
               "\\u009b\\u0080\xC2\xA0\xC3\x9B\xE2\x82\xAC\xF0\x9F\x98\x80");
  write_file("names.safetensors", "{\"a\\u001b[2J\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 8);
  tiny_capture();
  CHECK(!lam_weights_open("names.safetensors", lam_join_parts));
  CHECK(!lam_weights_open("no\x1b[2J\xC2\x9B.safetensors", lam_join_parts));
  tiny_release();
  CHECK(tiny_said("tensor a\\x1b[2J (F31)") && tiny_said("cannot open no\\x1b[2J\\u009b.safetensors"));
  CHECK(!strpbrk(tiny_read("err.txt", &(size_t){0}), "\x1b\x9b"));
}

int main(void) {
  tiny_folder();
  line_prepare();
  test_bad_files();
  test_damage();
  test_types();
  test_steps();
  test_round_trip();
  test_cut_write();
  test_checkpoints();
  test_axis_names();
  test_signals();
  test_control_characters();
  return check_done("runtime_files");
}
