/* Runs the prompt in windows, then token by token; the step routine's caches keep what it has seen. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- A text that grows -------------------------------------------------------------------------------------------- */

static bool lam_session_ports(struct lam_session *session) {
  struct lam_routine *routine = &session->program->routines[LAM_STEP];
  const struct lam_generation *generation = session->program->generation;
  struct lam_port *feed = lam_find_port(routine->inputs, routine->input_count, generation->feed);
  struct lam_port *from = lam_find_port(routine->outputs, routine->output_count, generation->from);
  session->feed = feed, session->from = from;
  session->position = lam_find_port(routine->inputs, routine->input_count, "position");
  if (!feed || !from || feed->rank != 2 || from->rank != 3)
    return lam_error("the step routine does not go from %s[batch, places] to %s[batch, places, ids]", generation->feed,
                     generation->from);
  /* The output's axes come in either order; the one named as the feed's second is the window. */
  const char *over = strchr(feed->axes, ',') + 1, *second = strchr(from->axes, ',') + 1;
  bool window_first = strcspn(second, ",") == strlen(over) && !strncmp(second, over, strlen(over));
  session->ids = from->shape[window_first ? 2 : 1];
  session->place_stride = window_first ? from->shape[2] : 1;
  session->id_stride = window_first ? 1 : from->shape[2];
  return true;
}

void lam_session_add(struct lam_session *session, int32_t token) {
  session->tokens = lam_grow(session->tokens, session->count, &session->capacity, sizeof *session->tokens);
  session->tokens[session->count++] = token;
}

/* Runs the model up to the last token, window after window, and returns that token's place in its window. Where there
   are more tokens than the capacity, the model begins again with the last ones, half as many as it can hold. */
static int64_t lam_session_advance(struct lam_session *session) {
  int64_t capacity = session->program->generation->capacity, window = session->feed->shape[1], length = 0;
  if (session->past + session->count - session->seen > capacity) {
    int64_t kept = capacity > 1 ? capacity / 2 : 1;
    session->past = 0;
    session->seen = session->count > kept ? session->count - kept : 0;
  }
  while (session->seen < session->count) {
    length = session->count - session->seen < window ? session->count - session->seen : window;
    for (int64_t i = 0; i < session->feed->shape[0] * window; i++) {
      if (i % window >= length) continue;
      ((int32_t *)session->feed->data)[i] = session->tokens[session->seen + i % window];
      if (session->position) ((int32_t *)session->position->data)[i] = (int32_t)(session->past + i % window);
    }
    session->seen += length;
    session->past += length;
    lam_run_routine(session->program, LAM_STEP, 0, 0, 0, (const int64_t[]){length, session->past});
  }
  return length - 1;
}

/* Reads token ids between blanks or commas. */
static bool lam_session_numbers(struct lam_session *session, const char *text, const char *where) {
  for (const char *at = text; at += strspn(at, " ,\n\t"), *at;) {
    char *end;
    long id = strtol(at, &end, 10);
    if (end == at || id < 0 || id >= session->ids)
      return lam_error("%s: \"%.*s\" is not an id from 0 to %lld; this program has no tokenizer", where,
                       (int)strcspn(at, " ,\n\t"), at, (long long)session->ids - 1);
    lam_session_add(session, (int32_t)id);
    at = end;
  }
  return true;
}

bool lam_session_read(struct lam_session *session, const char *text, size_t length, const char *where) {
  if (!session->has_text) return lam_session_numbers(session, text, where);
  int32_t *ids = lam_allocate((int64_t)length, sizeof *ids);
  char message[LAM_MESSAGE];
  int64_t count = lam_encode(&session->vocabulary, text, length, ids, (int64_t)length, message);
  if (count < 0) lam_told(LAM_WRONG_ARGUMENT, where, message);
  for (int64_t i = 0; i < count; i++) lam_session_add(session, ids[i]);
  free(ids);
  return count >= 0;
}

static void lam_session_write(const struct lam_session *session, int32_t token) {
  char text[4];
  if (!session->has_text) {
    printf("%d ", (int)token);
    return;
  }
  fwrite(text, 1, (size_t)lam_decode(&session->vocabulary, token, text), stdout);
}

static bool lam_session_prompt(struct lam_session *session, const struct lam_options *options) {
  const struct lam_generation *generation = session->program->generation;
  const char *prompt = lam_option_text(options, "prompt", NULL), *file = lam_option_text(options, "prompt-file", NULL);
  if (generation->start >= 0) lam_session_add(session, (int32_t)generation->start);
  if (file) {
    size_t length;
    char *text = lam_read_file(file, "", &length);
    bool good = text && lam_session_read(session, text, length, file);
    free(text);
    if (!good) return false;
  } else if (prompt && !lam_session_read(session, prompt, strlen(prompt), "--prompt")) {
    return false;
  }
  if (!session->count) { /* the model needs something to begin with: a line end, where it knows one */
    int32_t id = 0;
    char text[4];
    for (int32_t i = 0; session->has_text && i < session->vocabulary.count; i++)
      if (lam_decode(&session->vocabulary, i, text) == 1 && *text == '\n') id = i;
    lam_session_add(session, id);
  }
  for (int64_t i = 0; i < session->count; i++)
    if (session->tokens[i] >= session->ids)
      return lam_error("token %d of the prompt is beyond the model's %lld", (int)session->tokens[i],
                       (long long)session->ids);
  return true;
}

/* Loads the weights and the vocabulary that they hold, and reads the prompt. */
static bool lam_session_start(struct lam_session *session, const struct lam_options *options) {
  struct lam_program *program = session->program;
  struct lam_run run = {0};
  if (!lam_session_ports(session) || !lam_checkpoint_use(program, &run, options)) return false;
  session->has_text = program->data && program->data->tokenizer;
  char message[LAM_MESSAGE] = "";
  bool known = !session->has_text ||
               lam_vocabulary_recall(&session->vocabulary, program->data->tokenizer, &run.facts, message) == LAM_OK;
  lam_pairs_free(&run.facts);
  if (!known && *message) return lam_error("the weights' vocabulary: %s", message);
  if (!known) return lam_error("the weights hold no vocabulary: they were not written by this program's train");
  return lam_session_prompt(session, options);
}

/* Chooses the next token, after `made` others; -1 where the model gave something that is not a number. */
static int64_t lam_session_choose(struct lam_session *session, const struct lam_options *options, int64_t made,
                                  double *memory) {
  const struct lam_settings *settings = session->program->settings;
  uint32_t words[4], seed = (uint32_t)lam_option_integer(options, "seed", settings ? settings->seed : 0);
  const lam_real *from = (const lam_real *)session->from->data + lam_session_advance(session) * session->place_stride;
  int64_t known = session->has_text ? session->vocabulary.count : session->ids,
          stop = session->program->generation->stop;
  lam_philox(seed, LAM_STREAM_SAMPLE, (uint32_t)made, 0, 0, words);
  double uniform = (double)(((uint64_t)words[0] << 32 | words[1]) >> 11) / 9007199254740992.0;
  const struct lam_sampling sampling = {.temperature = lam_option_number(options, "temperature", 1),
                                        .top_p = lam_option_number(options, "top-p", 1),
                                        .top_k = lam_option_integer(options, "top-k", 0)};
  return lam_choose(from, session->id_stride, session->ids, known, stop, sampling, uniform, memory);
}

static int lam_generate_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_session session = {.program = program};
  if (!lam_session_start(&session, options)) return 1;
  const struct lam_generation *generation = program->generation;
  if (generation->source && !generation->source(&session, options)) return 1;
  int64_t wanted = lam_option_integer(options, "tokens", 200), prompt = session.count, made = 0, id = 0;
  double *memory = lam_allocate(session.ids, 3 * sizeof *memory), start = lam_seconds();
  for (int64_t i = generation->start >= 0; i < session.count; i++) lam_session_write(&session, session.tokens[i]);
  for (; made < wanted && fflush(stdout) == 0; made++) {
    lam_span_begin("token", made);
    id = lam_session_choose(&session, options, made, memory);
    lam_span_end();
    if (id < 0 || id == generation->stop) break;
    lam_session_add(&session, (int32_t)id);
    lam_session_write(&session, (int32_t)id);
  }
  putchar('\n');
  double seconds = lam_seconds() - start;
  free(memory);
  free(session.tokens);
  free(session.vocabulary.codes);
  if (id < 0) return lam_error("the model gave something that is not a number: are these its weights?") + 1;
  if (!lam_option_text(options, "quiet", NULL))
    lam_note("%lld tokens after %lld of prompt, %.1f tokens/s", (long long)made, (long long)prompt,
             seconds > 0 ? (double)made / seconds : 0.0);
  return 0;
}

static const struct lam_option lam_generate_options[] = {
    {"weights", "FILE", "weights in safetensors (default: NAME.safetensors)", 0, 0},
    {"prompt", "TEXT", "what the text begins with (without a tokenizer: ids)", 0, 0},
    {"prompt-file", "FILE", "the same from a file", 0, 0},
    {"source", "TEXT", "what an encoder reads", 0, 0},
    {"tokens", "N", "how many to make at most (default: 200)", 0, 1e15},
    {"temperature", "X", "0: always the likeliest token (default: 1)", 0, 1e6},
    {"top-k", "N", "draw from the N likeliest (default: all)", 0, 1e15},
    {"top-p", "X", "draw from the fewest that have this share (default: 1)", 0, 1},
    {"seed", "N", "of the draws", 0, 4294967295.0},
    {"quiet", NULL, "no line about speed", 0, 0},
    {0}};
LAM_API const struct lam_verb lam_generate_verb = {"generate", "continues a prompt", lam_generate_options,
                                                   lam_generate_main};
