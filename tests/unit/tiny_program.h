/* Two programs made by hand, as the compiler would make them: a line with noise, momentum and an average; and a bigram
   model of text that also remembers how many tokens it has seen. Their arithmetic is plain, so that what a test sees is
   the runtime. */
#ifndef TESTS_UNIT_TINY_PROGRAM_H
#define TESTS_UNIT_TINY_PROGRAM_H

#include <math.h>

#include "tests/unit/tiny_files.h"

static const struct lam_verb *const tiny_verbs[] = {&lam_train_verb,   &lam_eval_verb, &lam_generate_verb,
                                                    &lam_predict_verb, &lam_info_verb, NULL};

/* --- A line: y = slope x + intercept ------------------------------------------------------------------------------ */

enum { LINE_BATCH = 4, LINE_EXAMPLES = 50 };
static lam_real line_state[6]; /* slope, intercept, their momentum, their averages */
static lam_real line_x[LINE_BATCH], line_y[LINE_BATCH], line_weight[LINE_BATCH], line_step, line_steps, line_loss,
    line_sums[2];
static lam_real line_made_x[LINE_EXAMPLES], line_made_y[LINE_EXAMPLES], line_output[LINE_BATCH];
static int32_t line_example[LINE_BATCH];

static void line_forward(lam_real noise, uint32_t seed, double gradient[2], double sums[2]) {
  gradient[0] = gradient[1] = sums[0] = sums[1] = 0;
  for (int i = 0; i < LINE_BATCH; i++) {
    uint32_t words[4];
    lam_philox(seed, 77, (uint32_t)line_step, (uint32_t)line_example[i], 0, words);
    double x = line_x[i] + noise * lam_normal_draw(words), error = line_state[0] * x + line_state[1] - line_y[i];
    line_output[i] = (lam_real)(line_state[0] * x + line_state[1]);
    gradient[0] += 2 * error * x * line_weight[i];
    gradient[1] += 2 * error * line_weight[i];
    sums[0] += error * error * line_weight[i];
    sums[1] += line_weight[i];
  }
}

static int line_train(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)self, (void)step, (void)sizes;
  double gradient[2], sums[2];
  line_forward((lam_real)0.05, seed, gradient, sums);
  line_loss = (lam_real)(sums[0] / sums[1]);
  for (int i = 0; i < 2; i++) {
    line_state[2 + i] = (lam_real)(0.5 * line_state[2 + i] + gradient[i] / sums[1]);
    line_state[i] = (lam_real)(line_state[i] - 0.05 * (1 - line_step / (line_steps + 1)) * line_state[2 + i]);
    line_state[4 + i] = (lam_real)(0.9 * line_state[4 + i] + 0.1 * line_state[i]);
  }
  return 0;
}

static int line_evaluate(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)self, (void)step, (void)sizes;
  double gradient[2], sums[2];
  line_forward(0, seed, gradient, sums);
  line_sums[0] = (lam_real)sums[0], line_sums[1] = (lam_real)sums[1];
  return 0;
}

static int line_synthesize(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)self, (void)step, (void)sizes;
  for (int i = 0; i < LINE_EXAMPLES; i++) {
    uint32_t words[4];
    lam_philox(seed, 5, 0, (uint32_t)i, 0, words);
    line_made_x[i] = (lam_real)lam_normal_draw(words);
    line_made_y[i] = (lam_real)(2 * line_made_x[i] + 1);
  }
  return 0;
}

static struct lam_tensor line_tensors[] = {
    {.name = "slope", .axes = "", .role = LAM_PARAMETER, .data = &line_state[0]},
    {.name = "intercept", .axes = "", .role = LAM_PARAMETER, .data = &line_state[1]},
    {.name = "slope/m", .axes = "", .role = LAM_OPTIMIZER, .data = &line_state[2]},
    {.name = "intercept/m", .axes = "", .role = LAM_OPTIMIZER, .data = &line_state[3]},
    {.name = "slope/average", .axes = "", .role = LAM_AVERAGE, .data = &line_state[4]},
    {.name = "intercept/average", .axes = "", .role = LAM_AVERAGE, .data = &line_state[5]}};
static struct lam_port line_inputs[] = {
    {.name = "x", .axes = "batch", .rank = 1, .shape = {LINE_BATCH}, .data = line_x},
    {.name = "y", .axes = "batch", .rank = 1, .shape = {LINE_BATCH}, .data = line_y},
    {.name = "example",
     .axes = "batch",
     .type = LAM_TYPE_INTEGER,
     .rank = 1,
     .shape = {LINE_BATCH},
     .data = line_example},
    {.name = "step", .axes = "", .data = &line_step},
    {.name = "steps", .axes = "", .data = &line_steps}};
static struct lam_port line_predict_inputs[] = {
    {.name = "x", .axes = "batch", .rank = 1, .shape = {LINE_BATCH}, .data = line_x}};
static struct lam_port line_train_outputs[] = {{.name = "loss", .axes = "", .data = &line_loss}};
static struct lam_port line_evaluate_outputs[] = {{.name = "loss_sum", .axes = "", .data = &line_sums[0]},
                                                  {.name = "weight_sum", .axes = "", .data = &line_sums[1]}};
static struct lam_port line_predict_outputs[] = {
    {.name = "y", .axes = "batch", .rank = 1, .shape = {LINE_BATCH}, .data = line_output}};
static struct lam_port line_made[] = {
    {.name = "x", .axes = "example", .rank = 1, .shape = {LINE_EXAMPLES}, .data = line_made_x},
    {.name = "y", .axes = "example", .rank = 1, .shape = {LINE_EXAMPLES}, .data = line_made_y}};
static struct lam_column line_columns[] = {
    {.name = "x", .feature = LAM_SYNTHETIC_COLUMN, .field = "x", .length = 1, .start = -1, .stop = -1},
    {.name = "y", .feature = LAM_SYNTHETIC_COLUMN, .field = "y", .length = 1, .start = -1, .stop = -1}};
static struct lam_data line_data = {.name = "line",
                                    .examples = LINE_EXAMPLES,
                                    .split = 0.8,
                                    .columns = line_columns,
                                    .column_count = 2,
                                    .reader = &lam_synthetic_reader};
static struct lam_settings line_settings = {.batch = LINE_BATCH,
                                            .accumulate = 1,
                                            .steps = -1,
                                            .epochs = 10,
                                            .clip = -1,
                                            .average = 0.9,
                                            .log_every = 25,
                                            .shuffle = 1,
                                            .seed = 3};
static struct lam_model line_model = {.name = "linear", .tensors = line_tensors, .tensor_count = 6};
static struct lam_program line_program = {
    .name = "line",
    .model = &line_model,
    .target = "hand",
    .version = "test",
    .data = &line_data,
    .settings = &line_settings,
    .verbs = tiny_verbs,
    .routines = {[LAM_TRAIN] = {1, line_train, line_inputs, 5, line_train_outputs, 1, 0},
                 [LAM_EVALUATE] = {1, line_evaluate, line_inputs, 5, line_evaluate_outputs, 2, 0},
                 [LAM_PREDICT] = {1, line_evaluate, line_predict_inputs, 1, line_predict_outputs, 1, 0},
                 [LAM_SYNTHESIZE] = {1, line_synthesize, NULL, 0, line_made, 2, 0}}};

/* Rows weigh the same; nothing reads weights from data. */
static void line_prepare(void) {
  for (int i = 0; i < LINE_BATCH; i++) line_weight[i] = 1;
}

/* --- A bigram: the next token's counts, as logits ----------------------------------------------------------------- */

enum { BIGRAM_BATCH = 2, BIGRAM_LENGTH = 8, BIGRAM_IDS = 16, BIGRAM_WINDOW = 4, BIGRAM_CAPACITY = 8 };
static lam_real bigram_table[BIGRAM_IDS * BIGRAM_IDS], bigram_weight[BIGRAM_BATCH * BIGRAM_LENGTH], bigram_loss,
    bigram_sums[2];
static lam_real bigram_logits[BIGRAM_IDS * BIGRAM_WINDOW]; /* [batch=1, ids, window]: the order that is harder */
static int32_t bigram_tokens[BIGRAM_BATCH * BIGRAM_LENGTH], bigram_next[BIGRAM_BATCH * BIGRAM_LENGTH];
static int32_t bigram_feed[BIGRAM_WINDOW], bigram_position[BIGRAM_WINDOW];
static int64_t bigram_last_sizes[2], bigram_misplaced;

static int bigram_evaluate(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)self, (void)step, (void)seed, (void)sizes;
  double sum = 0, weight = 0;
  for (int i = 0; i < BIGRAM_BATCH * BIGRAM_LENGTH; i++) {
    const lam_real *row = bigram_table + bigram_tokens[i] * BIGRAM_IDS;
    double total = 0;
    for (int k = 0; k < BIGRAM_IDS; k++) total += exp(row[k]);
    sum += bigram_weight[i] * (log(total) - row[bigram_next[i]]);
    weight += bigram_weight[i];
  }
  bigram_sums[0] = (lam_real)sum, bigram_sums[1] = (lam_real)weight;
  return 0;
}

static int bigram_train(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)step;
  bigram_evaluate(self, step, seed, sizes);
  bigram_loss = bigram_sums[0] / bigram_sums[1];
  for (int i = 0; i < BIGRAM_BATCH * BIGRAM_LENGTH; i++)
    bigram_table[bigram_tokens[i] * BIGRAM_IDS + bigram_next[i]] += (lam_real)0.1 * bigram_weight[i];
  return 0;
}

static int bigram_step(void *self, int64_t step, uint32_t seed, const int64_t *sizes) {
  (void)self, (void)step, (void)seed;
  for (int64_t i = 0; i < sizes[0]; i++) {
    bigram_misplaced += bigram_position[i] != sizes[1] - sizes[0] + i;
    for (int k = 0; k < BIGRAM_IDS; k++)
      bigram_logits[k * BIGRAM_WINDOW + i] = bigram_table[bigram_feed[i] * BIGRAM_IDS + k];
  }
  bigram_last_sizes[0] = sizes[0], bigram_last_sizes[1] = sizes[1];
  return 0;
}

#define BIGRAM_SHAPE .rank = 2, .shape = {BIGRAM_BATCH, BIGRAM_LENGTH}
static struct lam_tensor bigram_tensors[] = {{.name = "table",
                                              .axes = "ids,next",
                                              .role = LAM_PARAMETER,
                                              .rank = 2,
                                              .shape = {BIGRAM_IDS, BIGRAM_IDS},
                                              .data = bigram_table}};
static struct lam_port bigram_inputs[] = {{.name = "tokens",
                                           .axes = "batch,seq",
                                           .type = LAM_TYPE_INTEGER,
                                           BIGRAM_SHAPE,
                                           .range = BIGRAM_IDS,
                                           .data = bigram_tokens},
                                          {.name = "next",
                                           .axes = "batch,seq",
                                           .type = LAM_TYPE_INTEGER,
                                           BIGRAM_SHAPE,
                                           .range = BIGRAM_IDS,
                                           .data = bigram_next},
                                          {.name = "weight", .axes = "batch,seq", BIGRAM_SHAPE, .data = bigram_weight}};
static struct lam_port bigram_train_outputs[] = {{.name = "loss", .axes = "", .data = &bigram_loss}};
static struct lam_port bigram_evaluate_outputs[] = {{.name = "loss_sum", .axes = "", .data = &bigram_sums[0]},
                                                    {.name = "weight_sum", .axes = "", .data = &bigram_sums[1]}};
static struct lam_port bigram_step_inputs[] = {{.name = "tokens",
                                                .axes = "batch,seq",
                                                .type = LAM_TYPE_INTEGER,
                                                .rank = 2,
                                                .shape = {1, BIGRAM_WINDOW},
                                                .data = bigram_feed},
                                               {.name = "position",
                                                .axes = "batch,seq",
                                                .type = LAM_TYPE_INTEGER,
                                                .rank = 2,
                                                .shape = {1, BIGRAM_WINDOW},
                                                .data = bigram_position}};
static struct lam_port bigram_step_outputs[] = {{.name = "logits",
                                                 .axes = "batch,ids,seq",
                                                 .rank = 3,
                                                 .shape = {1, BIGRAM_IDS, BIGRAM_WINDOW},
                                                 .data = bigram_logits}};
static struct lam_column bigram_columns[] = {
    {.name = "tokens",
     .feature = LAM_TOKENS,
     .type = LAM_TYPE_INTEGER,
     .length = BIGRAM_LENGTH,
     .range = BIGRAM_IDS,
     .start = -1,
     .stop = -1},
    {.name = "next",
     .feature = LAM_NEXT,
     .type = LAM_TYPE_INTEGER,
     .length = BIGRAM_LENGTH,
     .range = BIGRAM_IDS,
     .start = -1,
     .stop = -1},
    {.name = "weight", .feature = LAM_WEIGHT, .length = BIGRAM_LENGTH, .start = -1, .stop = -1}};
static struct lam_data bigram_data = {.name = "letters",
                                      .path = "letters.txt",
                                      .tokenizer = &lam_char_tokenizer,
                                      .split = 0.9,
                                      .columns = bigram_columns,
                                      .column_count = 3,
                                      .reader = &lam_text_reader};
static struct lam_settings bigram_settings = {.batch = BIGRAM_BATCH,
                                              .accumulate = 1,
                                              .steps = 200,
                                              .epochs = -1,
                                              .clip = -1,
                                              .average = -1,
                                              .evaluate_every = 100,
                                              .log_every = 50,
                                              .shuffle = 1,
                                              .seed = 1};
static struct lam_generation bigram_generation = {"tokens", "logits", BIGRAM_CAPACITY, BIGRAM_IDS, -1, -1, NULL};
static const struct lam_ids bigram_ids = {NULL, BIGRAM_IDS, 0};
static struct lam_model bigram_model = {.name = "bigram",
                                        .tensors = bigram_tensors,
                                        .tensor_count = 1,
                                        .ids = &bigram_ids,
                                        .ids_count = 1,
                                        .vocabulary = {.tokenizer = &lam_char_tokenizer}};
static struct lam_program bigram_program = {
    .name = "bigram",
    .model = &bigram_model,
    .target = "hand",
    .version = "test",
    .data = &bigram_data,
    .settings = &bigram_settings,
    .generation = &bigram_generation,
    .verbs = tiny_verbs,
    .routines = {[LAM_TRAIN] = {1, bigram_train, bigram_inputs, 3, bigram_train_outputs, 1, 0},
                 [LAM_EVALUATE] = {1, bigram_evaluate, bigram_inputs, 3, bigram_evaluate_outputs, 2, 0},
                 [LAM_STEP] = {1, bigram_step, bigram_step_inputs, 2, bigram_step_outputs, 1, 0}}};

#endif
