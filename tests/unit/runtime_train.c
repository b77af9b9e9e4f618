/* The runtime's loops: training and resuming, evaluation, generation, prediction, and the command line. */
#include "tests/unit/check.h"
#include "tests/unit/tiny_program.h"

#include <signal.h>

static lam_real whole[6]; /* the state of a line's uninterrupted run */

static void test_training(void) {
  CHECK(tiny_run(&line_program, "train --out a.safetensors --log log.jsonl") == 0);
  CHECK_NEAR(line_state[0], 2, 0.05);
  CHECK_NEAR(line_state[1], 1, 0.05);
  CHECK(tiny_said("step 100  validation loss 0.00"));
  CHECK(tiny_said("slope 1.9") || tiny_said("slope 2"));
  size_t length;
  const char *log = tiny_read("log.jsonl", &length);
  CHECK(!strncmp(log, "{\"step\":1,\"loss\":", 17));
  CHECK(strstr(log, "{\"step\":100,\"validation_loss\":") != NULL);
  CHECK(tiny_run(&line_program, "eval --weights a.safetensors") == 0);
  CHECK(tiny_said("validation  loss 0.00") && tiny_said("(10 examples)"));
  CHECK(tiny_run(&line_program, "predict --weights a.safetensors --input x=3") == 0);
  CHECK(tiny_said("0  y 6.9"));
}

/* A training that stops after any step and resumes gives the very same numbers, in memory and in the file. */
static void test_resume(void) {
  CHECK(tiny_run(&line_program, "train --out whole.safetensors --quiet") == 0);
  memcpy(whole, line_state, sizeof whole);
  const int stops[] = {1, 7, 13, 99};
  for (int i = 0; i < COUNT(stops); i++) {
    char line[128];
    line_settings.checkpoint_every = stops[i];
    line_steps = 0;
    /* A run of 100 steps that is killed right after it saved step `stops[i]`. */
    pid_t child = fork();
    if (child == 0) {
      struct lam_run run = {.step = 0, .steps = 100, .seed = 3};
      struct lam_dataset *data = lam_dataset_open(&line_program, LAM_TRAIN, NULL, 3, &run.facts);
      lam_initialize(line_program.model, 3);
      struct lam_feed *feed = lam_feed_start(data, &run, 1);
      while (run.step < stops[i]) {
        lam_feed_next(feed);
        lam_run_routine(&line_program, LAM_TRAIN, ++run.step, run.steps, run.seed, NULL);
        run.rows += LINE_BATCH;
      }
      _exit(lam_checkpoint_save(&line_program, &run, "part.safetensors") ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    line_settings.checkpoint_every = 0;
    memset(line_state, 0, sizeof line_state);
    snprintf(line, sizeof line, "train --resume --out part.safetensors --quiet");
    CHECK(tiny_run(&line_program, line) == 0);
    if (sizeof(lam_real) == 4) CHECK(memcmp(whole, line_state, sizeof whole) == 0);
    for (int k = 0; k < 6; k++) CHECK_NEAR(line_state[k], whole[k], 1e-6); /* in double, the file rounds to F32 */
  }
  CHECK(tiny_run(&line_program, "train --resume --steps 50 --out part.safetensors") == 1);
  CHECK(tiny_said("is at step 100, past the 50 asked for"));
  CHECK(tiny_run(&line_program, "train --resume --out nothing.safetensors") == 1);
  CHECK(tiny_said("cannot open nothing.safetensors"));
}

static int interrupt_at;
static int interrupted_train(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)step;
  line_train(self, step, seed, sizes);
  if ((int)line_step == interrupt_at) raise(SIGINT);
  return 0;
}

static void test_interrupt(void) {
  line_program.routines[LAM_TRAIN].run = interrupted_train;
  interrupt_at = 42;
  CHECK(tiny_run(&line_program, "train --out stopped.safetensors --quiet") == 130);
  CHECK(tiny_said("stopped after step 42 of 100; line train --resume --out stopped.safetensors goes on"));
  line_program.routines[LAM_TRAIN].run = line_train;
  CHECK(tiny_run(&line_program, "train --resume --out stopped.safetensors --quiet") == 0);
  for (int k = 0; k < 6; k++) CHECK_NEAR(line_state[k], whole[k], 1e-6);
  signal(SIGINT, SIG_DFL);
}

static int infinite_train(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)step;
  line_train(self, step, seed, sizes);
  if (line_step > 30) line_loss = (lam_real)NAN;
  return 0;
}

static void test_not_finite(void) {
  line_program.routines[LAM_TRAIN].run = infinite_train;
  line_settings.checkpoint_every = 20;
  CHECK(tiny_run(&line_program, "train --out nan.safetensors --quiet") == 1);
  CHECK(tiny_said("step 31: the loss is nan") && tiny_said("nan.safetensors holds step 20"));
  line_settings.checkpoint_every = 0;
  line_program.routines[LAM_TRAIN].run = line_train;
}

/* 10 rows in batches of 4: the last batch is padded, and the mean is that of 10 rows. */
static void test_evaluation(void) {
  struct lam_pairs facts = {0};
  struct lam_dataset *data = lam_dataset_open(&line_program, LAM_EVALUATE, NULL, 3, &facts);
  line_state[0] = (lam_real)1.5, line_state[1] = (lam_real)0.25;
  double sum = 0;
  for (int i = 40; i < 50; i++) sum += pow(1.5 * line_made_x[i] + 0.25 - line_made_y[i], 2);
  double loss;
  CHECK(lam_evaluate(data, LAM_VALIDATION, &loss));
  CHECK_NEAR(loss, sum / 10, 1e-5);
}

static void test_command_line(void) {
  static const struct {
    const char *line;
    int code;
    const char *says;
  } cases[] = {
      {"", 2, "usage: line VERB"},
      {"--help", 0, "trains the model"},
      {"--version", 0, "line, made by Lamella test for hand"},
      {"train --help", 0, "--resume"},
      {"trian", 2, "there is no verb trian; did you mean train?"},
      {"train --stpes 5", 2, "train has no option --stpes; did you mean --steps?"},
      {"train --steps", 2, "--steps wants a value"},
      {"train --steps five", 2, "--steps five: an integer is wanted"},
      {"train --steps=-1", 2, "it must be from 0"},
      {"train --quiet=1", 2, "--quiet takes no value"},
      {"train five", 2, "\"five\" is not an option"},
      {"train --quiet five", 2, "\"five\" is not an option of train, and --quiet takes no value; it means: print"},
      {"eval --weights none.safetensors", 1, "cannot open none.safetensors"},
      {"train --out no/such/folder.safetensors", 1, "cannot write no/such/folder.safetensors"},
      {"train --log no/such/log", 1, "cannot write no/such/log"},
      {"predict --weights whole.safetensors --input z=1", 1, "the model has no input z"},
      {"predict --weights whole.safetensors --input x=1,2", 1, "2 numbers, where [batch=4] takes 1"},
      {"predict --weights whole.safetensors --input x=one", 1, "\"one\" is not a number"},
      {"predict --weights whole.safetensors --out rows.safetensors", 0, "50 rows in rows.safetensors"},
      {"info", 0, "2 parameters (2 trained), 2 optimizer, 2 average"},
  };
  for (int i = 0; i < COUNT(cases); i++) {
    CHECK(tiny_run(&line_program, cases[i].line) == cases[i].code);
    CHECK(tiny_said(cases[i].says));
  }
  struct lam_weights *rows = lam_weights_open("rows.safetensors", lam_join_parts);
  CHECK(rows && rows->count == 1 && rows->entries[0].shape[0] == 50);
  lam_weights_close(rows);
}

static double sum_gradient[2], sum_loss, sum_weight;

static int accumulate_run(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)self, (void)step, (void)sizes;
  double gradient[2], sums[2];
  line_forward((lam_real)0.05, seed, gradient, sums);
  for (int i = 0; i < 2; i++) sum_gradient[i] += gradient[i];
  sum_loss += sums[0], sum_weight += sums[1];
  line_sums[0] = (lam_real)sums[0], line_sums[1] = (lam_real)sums[1];
  return 0;
}

static int accumulated_train(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)self, (void)step, (void)seed, (void)sizes;
  for (int i = 0; i < 2; i++) line_state[i] -= (lam_real)(0.05 * sum_gradient[i] / sum_weight);
  sum_gradient[0] = sum_gradient[1] = sum_loss = sum_weight = 0;
  return 0;
}

/* Three batches make a step; 10 epochs of 40 rows are 34 steps of 12; the loss is that of the whole step. */
static void test_accumulation(void) {
  struct lam_program program = line_program;
  struct lam_settings settings = line_settings;
  settings.accumulate = 3;
  settings.log_every = 1;
  program.settings = &settings;
  program.routines[LAM_ACCUMULATE] =
      (struct lam_routine){1, accumulate_run, line_inputs, 5, line_evaluate_outputs, 2, 0};
  program.routines[LAM_TRAIN] = (struct lam_routine){1, accumulated_train, line_inputs + 3, 2, NULL, 0, 0};
  CHECK(tiny_run(&program, "train --out sum.safetensors --log sum.jsonl") == 0);
  CHECK(tiny_said("step 34  validation loss"));
  size_t length;
  CHECK(strstr(tiny_read("sum.jsonl", &length), "{\"step\":34,\"loss\":0.") != NULL);
  struct lam_weights *weights = lam_weights_open("sum.safetensors", lam_join_parts);
  const struct lam_pair *rows = weights ? lam_pairs_find(&weights->metadata, "rows") : NULL;
  CHECK_STRING(rows ? rows->value : NULL, "408");
  lam_weights_close(weights);
}

/* Rows of inputs from a file, more than a batch; outputs to a file and back. */
static void test_predict_file(void) {
  lam_real x[6] = {-2, -1, 0, 1, 2, 3}, y[6];
  struct lam_tensor tensor = {.name = "x", .rank = 1, .shape = {6}, .data = x};
  struct lam_pairs none = {0};
  CHECK(lam_weights_write("x.safetensors", &tensor, 1, &none));
  CHECK(tiny_run(&line_program, "predict --weights whole.safetensors --inputs x.safetensors --out y.safetensors") == 0);
  struct lam_weights *weights = lam_weights_open("y.safetensors", lam_join_parts);
  const struct lam_entry *entry = weights ? lam_weights_find(weights, "y") : NULL;
  if (CHECK(entry && entry->rank == 1 && entry->shape[0] == 6 && lam_weights_read(weights, entry, LAM_TYPE_REAL, y)))
    for (int i = 0; i < 6; i++) CHECK_NEAR(y[i], line_state[0] * x[i] + line_state[1], 1e-6);
  lam_weights_close(weights);
  tensor.rank = 2, tensor.shape[1] = 1;
  CHECK(lam_weights_write("x.safetensors", &tensor, 1, &none));
  CHECK(tiny_run(&line_program, "predict --weights whole.safetensors --inputs x.safetensors") == 1);
  CHECK(tiny_said("x is [6, 1] in the file, and the model takes [batch=4], any number of rows"));
}

static void test_text(void) {
  static char text[2001];
  for (int i = 0; i < 2000; i++) text[i] = "abcde\n"[i % 6];
  tiny_write("letters.txt", text, 2000);
  bigram_misplaced = 0;
  CHECK(tiny_run(&bigram_program, "train --quiet") == 0);
  CHECK(tiny_said("step 200  validation loss 0.0"));
  /* The window of 4 slides at the capacity of 8; the vocabulary comes from the weights. */
  remove("letters.txt");
  CHECK(tiny_run(&bigram_program, "generate --prompt ab --tokens 20 --temperature 0 --quiet") == 0);
  CHECK(tiny_said("abcde\nabcde\nabcde\nabcd\n"));
  CHECK(bigram_misplaced == 0 && bigram_last_sizes[1] <= BIGRAM_CAPACITY);
  CHECK(tiny_run(&bigram_program, "generate --prompt abcde --seed 5 --tokens 50 --top-k 1 --quiet") == 0);
  CHECK(tiny_said("abcde\nabcde\nabcde\nabcde\nabcde\nabcde\nabcde\nabcde\nabcde\na\n"));
  CHECK(tiny_run(&bigram_program, "generate --prompt xyz") == 1);
  CHECK(tiny_said("--prompt: the character \"x\" (U+0078) in line 1 is not among the 6"));
  CHECK(tiny_run(&bigram_program, "train") == 1);
  CHECK(tiny_said("bigram.safetensors holds a finished training of bigram, 200 steps: --overwrite replaces it"));
  CHECK(tiny_run(&bigram_program, "train --overwrite") == 1);
  CHECK(tiny_said("cannot open letters.txt") && tiny_said("--data FILE names another"));
  tiny_write("letters.txt", "abcdefghijklmnopqrstuvwxyz", 26);
  CHECK(tiny_run(&bigram_program, "train --overwrite") == 1);
  CHECK(tiny_said("has 26 different characters and the axis of tokens has 16: it must be at least 26"));
  tiny_write("letters.txt", "a", 1);
  CHECK(tiny_run(&bigram_program, "train --overwrite") == 1);
  CHECK(tiny_said("the training part of letters.txt is too short: 0 tokens, where one example takes 9"));
  tiny_write("letters.txt", "", 0);
  CHECK(tiny_run(&bigram_program, "train --overwrite") == 1);
  CHECK(tiny_said("letters.txt is empty"));
}

/* Ids beyond the vocabulary, here by far the likeliest, stand for no text: they are never drawn, except for the one
   that ends the text. */
static void test_known_ids(void) {
  static lam_real table[BIGRAM_IDS * BIGRAM_IDS];
  static const char *const options[] = {
      "",           "--temperature 0", "--top-k 1", "--top-k 5",
      "--top-k 16", "--top-p 0.3",     "--top-p 0", "--top-k 12 --top-p 0.9 --temperature 3"};
  for (int bytes = 0; bytes < 2; bytes++) {
    /* All bytes are known, and only the last id has a logit above the others. */
    int known = !bytes ? 3 : BIGRAM_IDS;
    struct lam_tensor tensor = {.name = "table", .rank = 2, .shape = {BIGRAM_IDS, BIGRAM_IDS}, .data = table};
    struct lam_pairs metadata = {0};
    for (int i = 0; i < BIGRAM_IDS; i++)
      for (int k = 0; k < BIGRAM_IDS; k++) table[i * BIGRAM_IDS + k] = k < known ? 0 : 90 + k;
    lam_pairs_add(&metadata, "tokenizer", bytes ? "byte" : "char", 4);
    if (!bytes) lam_pairs_add(&metadata, "vocabulary", "abc", 3);
    bigram_model.vocabulary.tokenizer = bigram_data.tokenizer = bytes ? &lam_byte_tokenizer : &lam_char_tokenizer;
    CHECK(lam_weights_write("ids.safetensors", &tensor, 1, &metadata));
    for (int i = 0; i < COUNT(options); i++) {
      char line[200];
      size_t length;
      snprintf(line, sizeof line, "generate --weights ids.safetensors --quiet --tokens 300 %s", options[i]);
      CHECK(tiny_run(&bigram_program, line) == 0);
      const char *made = tiny_read("out.txt", &length);
      const size_t start = 1; /* what it began with */
      CHECK(length == start + 300 + 1);
      for (size_t k = start; k < start + 300; k++)
        CHECK(!bytes ? made[k] >= 'a' && made[k] <= 'c' : (unsigned char)made[k] < BIGRAM_IDS);
    }
    lam_pairs_free(&metadata);
  }
  bigram_model.vocabulary.tokenizer = bigram_data.tokenizer = &lam_char_tokenizer;
  static const int stops[] = {9, BIGRAM_IDS - 1};
  for (int i = 0; i < 2; i++) {
    size_t length;
    struct lam_tensor tensor = {.name = "table", .rank = 2, .shape = {BIGRAM_IDS, BIGRAM_IDS}, .data = table};
    struct lam_pairs metadata = {0};
    lam_pairs_add(&metadata, "vocabulary", "abc", 3);
    for (int k = 0; k < BIGRAM_IDS * BIGRAM_IDS; k++) table[k] = k % BIGRAM_IDS < 3 ? 0 : 90;
    CHECK(lam_weights_write("ids.safetensors", &tensor, 1, &metadata));
    bigram_generation.stop = stops[i];
    CHECK(tiny_run(&bigram_program, "generate --weights ids.safetensors --prompt abc --quiet --tokens 300") == 0);
    CHECK_STRING(tiny_read("out.txt", &length), "abc\n");
    lam_pairs_free(&metadata);
  }
  bigram_generation.stop = -1;
}

int main(void) {
  tiny_folder();
  line_prepare();
  test_training();
  test_resume();
  test_interrupt();
  test_not_finite();
  test_evaluation();
  test_accumulation();
  test_command_line();
  test_predict_file();
  test_text();
  test_known_ids();
  return check_done("runtime_train");
}
