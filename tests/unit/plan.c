/* The memory plan on random routines: activations that live at once never overlap, each begins where a vector may, and
   sharing never costs memory. --seconds N makes it run for so long. */
#include <string.h>

#include "passes/schedule.h"
#include "tests/unit/check.h"

enum { ROUNDS = 4000, BUFFERS = 48, LAUNCHES = 40, GRAIN = 64 };

static const struct target single = {.name = "single"}, twice = {.name = "double", .double_precision = true};

/* A routine, and what the test itself finds out about each of its activations. */
struct trial {
  struct arena *arena;
  struct scheduler scheduler;
  struct routine routine;
  struct buffer *buffers[BUFFERS];
  int first[BUFFERS], last[BUFFERS]; /* launches; first is -1 where there is none */
  int count;
};

static int64_t bytes_of(const struct trial *trial, const struct buffer *buffer, int64_t count) {
  static const int bits[STORAGE_COUNT] = {
      [STORAGE_REAL] = 32, [STORAGE_BF16] = 16, [STORAGE_F16] = 16, [STORAGE_I32] = 32, [STORAGE_I8] = 8,
      [STORAGE_U8] = 8,    [STORAGE_I4] = 4,    [STORAGE_U4] = 4,   [STORAGE_BOOL] = 8};
  const bool wide = buffer->storage == STORAGE_REAL && trial->scheduler.target->double_precision;
  return (count * (wide ? 64 : bits[buffer->storage]) + 7) / 8;
}

static int64_t size_of(const struct trial *trial, int i) {
  return bytes_of(trial, trial->buffers[i], trial->buffers[i]->count);
}
static int64_t begin_of(const struct trial *trial, int i) {
  return bytes_of(trial, trial->buffers[i], trial->buffers[i]->offset);
}
static enum storage random_storage(void) {
  static const enum storage storages[] = {STORAGE_REAL, STORAGE_BF16, STORAGE_F16, STORAGE_I32, STORAGE_I8,
                                          STORAGE_U8,   STORAGE_I4,   STORAGE_U4,  STORAGE_BOOL};
  return storages[check_below((int)(sizeof storages / sizeof *storages))];
}
static int64_t rounded(int64_t bytes) { return (bytes + GRAIN - 1) / GRAIN * GRAIN; }

static struct trial *trial_new(bool plan) {
  struct arena *arena = arena_new();
  struct trial *trial = arena_new_struct(arena, struct trial);
  trial->arena = arena;
  trial->scheduler = (struct scheduler){.arena = arena, .target = check_below(2) ? &single : &twice, .plan = plan};
  return trial;
}

static int add_buffer(struct trial *trial, enum buffer_role role, enum storage storage, int64_t count) {
  struct buffer *buffer = arena_new_struct(trial->arena, struct buffer);
  *buffer = (struct buffer){
      .name = arena_format(trial->arena, "b%d", trial->count), .role = role, .storage = storage, .count = count};
  buffer->type = type_of_kind(storage_kind(storage));
  trial->first[trial->count] = -1;
  trial->buffers[trial->count] = buffer;
  return trial->count++;
}

static struct launch *add_launch(struct trial *trial) {
  struct launch *launch = arena_new_struct(trial->arena, struct launch);
  array_push(trial->arena, &trial->routine.launches, launch);
  array_push(trial->arena, &launch->arguments, (struct launch_argument){.number_kind = NUMBER_CONSTANT, .number = 3});
  return launch;
}

/* Notes that the latest launch touches the buffer. */
static void touch(struct trial *trial, struct launch *launch, int i) {
  int number = trial->routine.launches.count - 1;
  array_push(trial->arena, &launch->arguments, (struct launch_argument){.buffer = trial->buffers[i]});
  if (trial->first[i] < 0) trial->first[i] = number;
  trial->last[i] = number;
}

static void random_trial(struct trial *trial) {
  int count = 1 + check_below(BUFFERS), launches = 1 + check_below(LAUNCHES), spread = 1 + check_below(LAUNCHES);
  for (int i = 0; i < count; i++) {
    enum buffer_role role = check_below(6) ? BUFFER_ACTIVATION : (enum buffer_role)check_below(3);
    int64_t elements = check_below(4) ? 1 + check_below(2000) : GRAIN * (1 + check_below(4));
    trial->buffers[add_buffer(trial, role, random_storage(), elements)]->dumped = check_below(12) == 0;
  }
  /* Each buffer is used around a launch of its own, so that lives differ. */
  int home[BUFFERS];
  for (int i = 0; i < count; i++) home[i] = check_below(launches);
  for (int l = 0; l < launches; l++) {
    struct launch *launch = add_launch(trial);
    for (int i = 0; i < count; i++)
      if (abs(home[i] - l) < spread && check_below(3) == 0) touch(trial, launch, i);
  }
  for (int i = 0; i < count; i++)
    if (trial->buffers[i]->dumped && trial->first[i] >= 0) trial->last[i] = launches;
}

/* Any plan needs at least as much as lives at one launch. */
static void check_memory(struct trial *trial, int64_t *least, int64_t *most) {
  *least = *most = 0;
  for (int l = 0; l <= trial->routine.launches.count; l++) {
    int64_t present = 0;
    for (int i = 0; i < trial->count; i++)
      if (trial->buffers[i]->role == BUFFER_ACTIVATION && trial->first[i] >= 0 && trial->first[i] <= l &&
          l <= trial->last[i])
        present += rounded(size_of(trial, i));
    if (present > *least) *least = present;
  }
  for (int i = 0; i < trial->count; i++)
    if (trial->buffers[i]->role == BUFFER_ACTIVATION && trial->first[i] >= 0) *most += rounded(size_of(trial, i));
}

static void check_places(struct trial *trial) {
  for (int i = 0; i < trial->count; i++) {
    if (trial->buffers[i]->role != BUFFER_ACTIVATION || trial->first[i] < 0) {
      CHECK(trial->buffers[i]->offset == 0);
      continue;
    }
    bool right = CHECK(begin_of(trial, i) % GRAIN == 0);
    right &=
        CHECK(begin_of(trial, i) >= 0 && begin_of(trial, i) + size_of(trial, i) <= trial->routine.activation_bytes);
    for (int j = 0; j < i; j++) {
      if (trial->buffers[j]->role != BUFFER_ACTIVATION || trial->first[j] < 0) continue;
      bool together =
          !trial->scheduler.plan || (trial->first[i] <= trial->last[j] && trial->first[j] <= trial->last[i]);
      bool apart = begin_of(trial, i) + size_of(trial, i) <= begin_of(trial, j) ||
                   begin_of(trial, j) + size_of(trial, j) <= begin_of(trial, i);
      right &= CHECK(!together || apart);
    }
    if (!right)
      printf("  %s, launches %d to %d, lies at %lld of %lld\n", trial->buffers[i]->name, trial->first[i],
             trial->last[i], (long long)begin_of(trial, i), (long long)trial->routine.activation_bytes);
  }
}

static void check_routine(long round) {
  struct trial *trial = trial_new(round % 4 != 0);
  int64_t least, most;
  random_trial(trial);
  plan_routine(&trial->scheduler, &trial->routine);
  check_places(trial);
  check_memory(trial, &least, &most);
  CHECK(trial->routine.activation_bytes >= least && trial->routine.activation_bytes <= most);
  if (!trial->scheduler.plan) CHECK(trial->routine.activation_bytes == most);
  arena_free(trial->arena);
}

/* A chain, each link of which reads the one before it, takes turns in two places; without a plan each link has its own. */
static void check_chain(bool plan) {
  enum { LINKS = 20, ELEMENTS = 100 };
  struct trial *trial = trial_new(plan);
  for (int i = 0; i < LINKS; i++) {
    add_buffer(trial, BUFFER_ACTIVATION, STORAGE_I32, ELEMENTS);
    struct launch *launch = add_launch(trial);
    touch(trial, launch, i);
    if (i) touch(trial, launch, i - 1);
  }
  plan_routine(&trial->scheduler, &trial->routine);
  check_places(trial);
  CHECK(trial->routine.activation_bytes == (plan ? 2 : LINKS) * rounded(ELEMENTS * 4));
  arena_free(trial->arena);
}

/* Values that are dumped are whole at the end, whatever ran after them. */
static void check_dumped(void) {
  struct trial *trial = trial_new(true);
  for (int i = 0; i < 3; i++) {
    add_buffer(trial, BUFFER_ACTIVATION, STORAGE_I32, 16);
    touch(trial, add_launch(trial), i);
  }
  trial->buffers[0]->dumped = true;
  plan_routine(&trial->scheduler, &trial->routine);
  CHECK(trial->routine.activation_bytes == 128 && trial->buffers[0]->offset != trial->buffers[1]->offset);
  CHECK(trial->buffers[1]->offset == trial->buffers[2]->offset);
  arena_free(trial->arena);
}

/* Without activations a plan needs no memory. */
static void check_empty(void) {
  struct trial *trial = trial_new(true);
  touch(trial, (add_buffer(trial, BUFFER_STATE, STORAGE_REAL, 100), add_launch(trial)), 0);
  plan_routine(&trial->scheduler, &trial->routine);
  CHECK(trial->routine.activation_bytes == 0 && trial->buffers[0]->offset == 0);
  arena_free(trial->arena);
}

int main(int count, char **arguments) {
  if (!check_options("plan", count, arguments)) return 2;
  check_chain(true);
  check_chain(false);
  check_dumped();
  check_empty();
  for (long round = 0; check_goes_on(round, ROUNDS); round++) check_routine(round);
  return check_done("plan");
}
