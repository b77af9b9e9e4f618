/* check_json FILE: fails unless the file is JSON. check_json --trace FILE: fails unless it is a trace of Chrome's
   events whose spans nest on every thread, and prints "COUNT NAME" for each name of an event. It uses nothing of the
   project. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EVENTS = 200000, LONGEST_NAME = 64, DEEPEST = 64 };

struct event {
  char name[LONGEST_NAME], kind[8];
  double begin, length;
  int thread;
};

static char *text, *at;
static struct event events[MOST_EVENTS], current;
static int event_count;

static void wrong(const char *what) {
  fprintf(stderr, "at byte %ld: %s: %.40s\n", (long)(at - text), what, at);
  exit(1);
}

static void blanks(void) { at += strspn(at, " \n\r\t"); }

static void expect(char c) {
  blanks();
  if (*at != c) wrong("unexpected");
  at++;
}

static void read_string(char *to, size_t room) {
  size_t used = 0;
  expect('"');
  for (; *at != '"'; at++) {
    if ((unsigned char)*at < 32) wrong("a string without end, or a control character");
    if (*at == '\\') {
      at++;
      if (*at == 'u') {
        for (int i = 1; i <= 4; i++)
          if (!isxdigit((unsigned char)at[i])) wrong("bad \\u");
        at += 4;
      } else if (!*at || !strchr("\"\\/bfnrt", *at)) {
        wrong("bad escape");
      }
    }
    if (used + 1 < room) to[used++] = *at;
  }
  if (room) to[used] = 0;
  at++;
}

static double read_number(void) {
  char *end;
  const char *digits = at + (*at == '-');
  if (!isdigit((unsigned char)*digits) || (digits[0] == '0' && isdigit((unsigned char)digits[1]))) wrong("no number");
  double number = strtod(at, &end);
  for (const char *c = at; c < end; c++)
    if (!strchr("0123456789+-.eE", *c)) wrong("no number of JSON");
  if (end[-1] == '.') wrong("no digits after the point");
  at = end;
  return number;
}

static void read_value(int depth, const char *key);

static void read_members(int depth) {
  expect('{');
  blanks();
  if (*at == '}') {
    at++;
    return;
  }
  do {
    char key[LONGEST_NAME];
    blanks();
    read_string(key, sizeof key);
    expect(':');
    read_value(depth + 1, key);
    blanks();
  } while (*at == ',' && at++);
  expect('}');
}

/* An event is an object in the list of the outermost object: depth 2. */
static void read_value(int depth, const char *key) {
  if (depth > DEEPEST) wrong("too deep");
  blanks();
  if (*at == '{') {
    if (depth == 2) memset(&current, 0, sizeof current);
    read_members(depth);
    if (depth == 2 && event_count < MOST_EVENTS) events[event_count++] = current;
  } else if (*at == '[') {
    at++;
    blanks();
    if (*at == ']') {
      at++;
      return;
    }
    do read_value(depth + 1, "");
    while (blanks(), *at == ',' && at++);
    expect(']');
  } else if (*at == '"') {
    bool is_name = depth == 3 && !strcmp(key, "name"), is_kind = depth == 3 && !strcmp(key, "ph");
    read_string(is_name ? current.name : current.kind, is_name ? LONGEST_NAME : is_kind ? sizeof current.kind : 0);
  } else if (!strncmp(at, "true", 4) || !strncmp(at, "null", 4)) {
    at += 4;
  } else if (!strncmp(at, "false", 5)) {
    at += 5;
  } else {
    double number = read_number();
    if (depth == 3 && !strcmp(key, "ts")) current.begin = number;
    if (depth == 3 && !strcmp(key, "dur")) current.length = number;
    if (depth == 3 && !strcmp(key, "tid")) current.thread = (int)number;
  }
}

static int by_time(const void *x, const void *y) {
  const struct event *a = x, *b = y;
  if (a->thread != b->thread) return a->thread - b->thread;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return (a->length < b->length) - (a->length > b->length);
}

static int by_name(const void *x, const void *y) {
  return strcmp(((const struct event *)x)->name, ((const struct event *)y)->name);
}

static void check_events(void) {
  const double nanosecond = 0.0011; /* in microseconds, with the error of rounding */
  double ends[DEEPEST];
  int depth = 0, thread = -1, spans = 0;
  for (int i = 0; i < event_count; i++) {
    if (!events[i].name[0] || !events[i].kind[0]) wrong("an event without a name or a kind");
    if (!strcmp(events[i].kind, "X")) events[spans++] = events[i];
  }
  qsort(events, (size_t)spans, sizeof *events, by_time);
  for (int i = 0; i < spans; i++) {
    const struct event *event = &events[i];
    if (event->thread != thread) depth = 0;
    thread = event->thread;
    while (depth && ends[depth - 1] <= event->begin + nanosecond) depth--;
    double end = event->begin + event->length;
    if (event->length < 0 || (depth && end > ends[depth - 1] + nanosecond) || depth == DEEPEST) {
      fprintf(stderr, "%s from %.3f to %.3f does not lie in what is around it\n", event->name, event->begin, end);
      exit(1);
    }
    ends[depth++] = end;
  }
  qsort(events, (size_t)spans, sizeof *events, by_name);
  for (int i = 0, first = 0; i < spans; i++)
    if (i + 1 == spans || strcmp(events[i].name, events[i + 1].name) != 0) {
      printf("%d %s\n", i + 1 - first, events[i].name);
      first = i + 1;
    }
}

int main(int count, char **arguments) {
  bool trace = count == 3 && !strcmp(arguments[1], "--trace");
  FILE *file = count == 2 + trace ? fopen(arguments[1 + trace], "rb") : NULL;
  if (!file) {
    fprintf(stderr, "usage: check_json [--trace] FILE\n");
    return 2;
  }
  size_t length = 0, room = 1 << 26;
  text = malloc(room);
  if (!text || (length = fread(text, 1, room - 1, file)) == room - 1) return 2;
  fclose(file);
  text[length] = 0;
  at = text;
  read_value(0, "");
  blanks();
  if (*at) wrong("something after the end");
  if (trace) check_events();
  return 0;
}
