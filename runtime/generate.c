/* The prompt in windows, then token by token; the step routine keeps what it has seen. */
#include "runtime/runtime.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Sampling ----------------------------------------------------------------------------------------------------- */

/* The larger weight first, then the smaller index. */
static bool lam_before(const double *weights, int64_t x, int64_t y) {
  return weights[x] != weights[y] ? weights[x] > weights[y] : x < y;
}

static void lam_sift(const double *weights, int64_t *heap, int64_t count, int64_t at) {
  for (int64_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && lam_before(weights, heap[child + 1], heap[child])) child++;
    if (!lam_before(weights, heap[child], heap[at])) return;
    int64_t kept = heap[at];
    heap[at] = heap[child];
    heap[child] = kept;
  }
}

/* Puts the most likely first: `limit` of them at most, and no more than reach `share` of the total. The kept end up at
   the end of `heap`, last the most likely; returns how many. */
static int64_t lam_select(const double *weights, int64_t *heap, int64_t count, int64_t limit, double share) {
  double reached = 0;
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++) heap[i] = i;
  for (int64_t i = count / 2 - 1; i >= 0; i--) lam_sift(weights, heap, count, i);
  while (kept < limit && kept < count && (!kept || reached < share)) {
    int64_t best = heap[0], left = count - ++kept;
    heap[0] = heap[left];
    heap[left] = best;
    lam_sift(weights, heap, left, 0);
    reached += weights[best];
  }
  return kept;
}

int64_t lam_sample(const double *logits, int64_t count, double temperature, int64_t top_k, double top_p, double uniform,
                   double *memory) {
  double *weights = memory, total = 0;
  int64_t *order = (int64_t *)(memory + count), best = 0, kept = count;
  for (int64_t i = 0; i < count; i++) {
    if (isnan(logits[i])) return -1;
    if (logits[i] > logits[best]) best = i;
  }
  if (temperature <= 0 || isinf(logits[best])) return best;
  for (int64_t i = 0; i < count; i++) total += weights[i] = exp((logits[i] - logits[best]) / temperature);
  bool cut = (top_k > 0 && top_k < count) || top_p < 1;
  if (top_k > 0 && top_k < count) {
    kept = lam_select(weights, order, count, top_k, INFINITY);
    total = 0;
    for (int64_t i = count - 1; i >= count - kept; i--) total += weights[order[i]];
  } else if (cut) {
    kept = lam_select(weights, order, count, count, top_p * total);
  }
  if (cut) { /* the share that top_p asks for, of those that are left */
    double share = top_p * total;
    total = 0;
    for (int64_t i = 0; i < kept; i++) {
      if (i && total >= share)
        kept = i;
      else
        total += weights[order[count - 1 - i]];
    }
  }
  double point = uniform * total;
  for (int64_t i = 0; i < kept; i++) {
    int64_t id = cut ? order[count - 1 - i] : i;
    point -= weights[id];
    if (point < 0) return id;
  }
  return cut ? order[count - 1] : best; /* rounding took the last one */
}

/* --- The model's state -------------------------------------------------------------------------------------------- */

struct lam_session {
  struct lam_program *program;
  struct lam_vocabulary vocabulary;
  bool has_text; /* else tokens are read and written as numbers */
  struct lam_port *feed, *position, *from;
  int64_t window, rows, past; /* of one call at most; of the batch; positions in the caches */
  int64_t vocabulary_size, place_stride, id_stride; /* of the output */
  int32_t *tokens; /* all so far */
  int64_t count, capacity;
};

static bool lam_session_ports(struct lam_session *session) {
  struct lam_routine *routine = &session->program->routines[LAM_STEP];
  const struct lam_generation *generation = session->program->generation;
  session->feed = lam_find_port(routine->inputs, routine->input_count, generation->feed);
  session->position = lam_find_port(routine->inputs, routine->input_count, "position");
  struct lam_port *from = session->from = lam_find_port(routine->outputs, routine->output_count, generation->from);
  if (!session->feed || !from || session->feed->rank != 2 || from->rank != 3)
    return lam_error("the step routine does not go from %s[batch, places] to %s[batch, places, ids]", generation->feed,
                     generation->from);
  session->rows = session->feed->shape[0];
  session->window = session->feed->shape[1];
  /* The output's axes come in either order; the one named as the feed's second is the window. */
  const char *over = strchr(session->feed->axes, ',') + 1, *second = strchr(from->axes, ',') + 1;
  size_t length = strlen(over);
  bool window_first = strncmp(second, over, length) == 0 && second[length] == ',';
  session->vocabulary_size = from->shape[window_first ? 2 : 1];
  session->place_stride = window_first ? from->shape[2] : 1;
  session->id_stride = window_first ? 1 : from->shape[2];
  return true;
}

/* Runs the model on tokens, window after window. The output of the last one is that of `*last`, its place in the last
   window. */
static void lam_session_run(struct lam_session *session, const int32_t *tokens, int64_t count, int64_t *last) {
  while (count > 0) {
    int64_t length = count < session->window ? count : session->window;
    for (int64_t row = 0; row < session->rows; row++)
      for (int64_t i = 0; i < length; i++) {
        ((int32_t *)session->feed->data)[row * session->window + i] = tokens[i];
        if (session->position)
          ((int32_t *)session->position->data)[row * session->window + i] = (int32_t)(session->past + i);
      }
    session->past += length;
    lam_run_routine(session->program, LAM_STEP, 0, 0, 0, (const int64_t[]){length, session->past});
    tokens += length;
    count -= length;
    *last = length - 1;
  }
}

static void lam_session_add(struct lam_session *session, int32_t token) {
  session->tokens = lam_grow(session->tokens, session->count, &session->capacity, sizeof *session->tokens);
  session->tokens[session->count++] = token;
}

/* Brings the model up to the last token. Past its capacity it begins again with the last half of what it can hold. */
static int64_t lam_session_advance(struct lam_session *session, int64_t *seen) {
  int64_t capacity = session->program->generation->capacity, last = 0;
  if (session->past + session->count - *seen > capacity) {
    int64_t kept = capacity > 1 ? capacity / 2 : 1;
    session->past = 0;
    *seen = session->count > kept ? session->count - kept : 0;
  }
  lam_session_run(session, session->tokens + *seen, session->count - *seen, &last);
  *seen = session->count;
  return last;
}

/* --- Text in and out ---------------------------------------------------------------------------------------------- */

/* Adds a text's tokens; without a tokenizer, numbers between blanks or commas. */
static bool lam_session_read(struct lam_session *session, const char *text, size_t length, const char *where) {
  if (session->has_text) {
    int32_t *ids = lam_allocate((int64_t)length, sizeof *ids);
    int64_t count = lam_encode(&session->vocabulary, text, length, ids, (int64_t)length, where);
    for (int64_t i = 0; i < count; i++) lam_session_add(session, ids[i]);
    free(ids);
    return count >= 0;
  }
  for (const char *at = text; at += strspn(at, " ,\n\t"), *at;) {
    char *end;
    long id = strtol(at, &end, 10);
    if (end == at || id < 0 || id >= session->vocabulary_size)
      return lam_error("%s: \"%.*s\" is not an id from 0 to %lld; this program has no tokenizer", where,
                       (int)strcspn(at, " ,\n\t"), at, (long long)session->vocabulary_size - 1);
    lam_session_add(session, (int32_t)id);
    at = end;
  }
  return true;
}

static void lam_session_write(const struct lam_session *session, int32_t token) {
  char text[4];
  if (session->has_text)
    fwrite(text, 1, (size_t)lam_decode(&session->vocabulary, token, text), stdout);
  else
    printf("%d ", (int)token);
}

static bool lam_session_vocabulary(struct lam_session *session, const struct lam_run *run) {
  const struct lam_data *data = session->program->data;
  session->has_text = data && data->tokenizer != LAM_NO_TOKENIZER;
  if (!session->has_text || lam_vocabulary_recall(&session->vocabulary, data->tokenizer, &run->facts)) return true;
  return lam_error("the weights hold no vocabulary: they were not written by this program's train");
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
    for (int64_t i = 0; session->has_text && i < session->vocabulary.count; i++)
      if (session->vocabulary.codes ? session->vocabulary.codes[i] == '\n' : i == '\n') id = (int32_t)i;
    lam_session_add(session, id);
  }
  for (int64_t i = 0; i < session->count; i++)
    if (session->tokens[i] >= session->vocabulary_size)
      return lam_error("token %d of the prompt is beyond the model's %lld", (int)session->tokens[i],
                       (long long)session->vocabulary_size);
  return true;
}

/* What an encoder reads: integers take the source text's ids, booleans say where there is one. */
static bool lam_session_source(struct lam_session *session, enum lam_routine_name name, const char *source) {
  struct lam_program *program = session->program;
  struct lam_routine *routine = &program->routines[name];
  for (int i = 0; i < routine->input_count; i++) {
    struct lam_port *port = &routine->inputs[i];
    if (port == session->feed || port == session->position || port->rank < 2) continue;
    if (!source) return lam_error("the model reads %s: --source TEXT gives it", port->name);
    int64_t length = lam_count(port->shape + 1, port->rank - 1), start = -1, stop = -1;
    for (int c = 0; program->data && c < program->data->column_count; c++)
      if (strcmp(program->data->columns[c].name, port->name) == 0)
        start = program->data->columns[c].start, stop = program->data->columns[c].stop;
    struct lam_session ids = {
        .vocabulary = session->vocabulary, .has_text = session->has_text, .vocabulary_size = INT32_MAX};
    if (start >= 0) lam_session_add(&ids, (int32_t)start);
    if (!lam_session_read(&ids, source, strlen(source), "--source")) return false;
    if (ids.count > length - (stop >= 0))
      return lam_error("--source has %lld tokens, and %s takes %lld", (long long)ids.count, port->name,
                       (long long)(length - (stop >= 0)));
    if (stop >= 0) lam_session_add(&ids, (int32_t)stop);
    for (int64_t k = 0; k < session->rows * length; k++) {
      bool inside = k % length < ids.count;
      lam_set(port->data, port->type, k, inside && port->type == LAM_TYPE_INTEGER ? ids.tokens[k % length] : inside);
    }
    for (int64_t k = 0; port->type == LAM_TYPE_INTEGER && port->range && k < ids.count; k++)
      if (ids.tokens[k] >= port->range)
        return lam_error("--source: id %d, and %s takes ids below %lld", (int)ids.tokens[k], port->name,
                         (long long)port->range);
    free(ids.tokens);
  }
  return true;
}

static int lam_generate_main(struct lam_program *program, const struct lam_options *options) {
  struct lam_session session = {.program = program};
  struct lam_run run = {.seed = program->settings ? program->settings->seed : 0};
  const char *source = lam_option_text(options, "source", NULL);
  if (!lam_session_ports(&session) ||
      !lam_checkpoint_load(program, &run, lam_checkpoint_path(program, options, "weights"), LAM_USE) ||
      !lam_session_vocabulary(&session, &run) || !lam_session_prompt(&session, options) ||
      !lam_session_source(&session, LAM_STEP, source))
    return 1;
  if (program->routines[LAM_PREPARE].exists) {
    if (!lam_session_source(&session, LAM_PREPARE, source)) return 1;
    lam_run_routine(program, LAM_PREPARE, 0, 0, 0, NULL);
  }
  uint32_t seed = (uint32_t)lam_option_integer(options, "seed", program->settings ? program->settings->seed : 0);
  double temperature = lam_option_number(options, "temperature", 1), top_p = lam_option_number(options, "top-p", 1);
  int64_t wanted = lam_option_integer(options, "tokens", 200), top_k = lam_option_integer(options, "top-k", 0),
          seen = 0;
  double *logits = lam_allocate(session.vocabulary_size, 3 * sizeof *logits), start = lam_seconds();
  for (int64_t i = program->generation->start >= 0; i < session.count; i++)
    lam_session_write(&session, session.tokens[i]);
  int64_t made = 0, prompt = session.count, id = 0;
  for (; made < wanted; made++) {
    fflush(stdout);
    int64_t place = lam_session_advance(&session, &seen);
    uint32_t words[4];
    const lam_real *from = (const lam_real *)session.from->data + place * session.place_stride;
    for (int64_t i = 0; i < session.vocabulary_size; i++) logits[i] = (double)from[i * session.id_stride];
    lam_philox(seed, LAM_STREAM_SAMPLE, (uint32_t)made, 0, 0, words);
    double uniform = (double)(((uint64_t)words[0] << 32 | words[1]) >> 11) / 9007199254740992.0;
    id = lam_sample(logits, session.vocabulary_size, temperature, top_k, top_p, uniform,
                    logits + session.vocabulary_size);
    if (id < 0 || id == program->generation->stop) break;
    lam_session_add(&session, (int32_t)id);
    lam_session_write(&session, (int32_t)id);
  }
  putchar('\n');
  double seconds = lam_seconds() - start;
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
const struct lam_verb lam_generate_verb = {"generate", "continues a prompt", lam_generate_options, lam_generate_main};
