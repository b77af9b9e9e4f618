/* Weights in files: an 8-byte length, a JSON header, and the tensors' bytes end to end
   (github.com/huggingface/safetensors). What is read may be anything: every number is checked before it is used, and
   tensors must cover the file exactly. */
#include "runtime/safetensors.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef LAM_MAPS_FILES
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

static const struct {
  const char *name;
  unsigned bytes;
} lam_file_types[] = {{"F32", 4}, {"F64", 8},  {"F16", 2}, {"BF16", 2},    {"I32", 4},
                      {"I64", 8}, {"BOOL", 1}, {"U8", 1},  {"I8", 1},      {"U16", 2},
                      {"I16", 2}, {"U32", 4},  {"U64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
enum { LAM_FILE_TYPES = sizeof lam_file_types / sizeof *lam_file_types, LAM_LARGEST_HEADER = 100000000 };

int lam_utf8_write(uint32_t code, char text[4]) {
  static const unsigned char marks[] = {0, 0xC0, 0xE0, 0xF0};
  int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  text[0] = (char)(marks[more] | code >> 6 * more);
  for (int i = 1; i <= more; i++) text[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3F));
  return more + 1;
}

/* --- The header: as much of JSON as it needs, strictly. After the first problem nothing more is read. ------------- */

struct lam_json {
  const char *at, *end;
  char *memory; /* for strings: as long as the header, which is enough, for a string loses its two quotes */
  const char *problem; /* the first one */
};

static void lam_json_fail(struct lam_json *json, const char *problem) {
  if (json->problem) return;
  json->problem = problem;
  json->end = json->at;
}

static bool lam_json_next(struct lam_json *json, char wanted) {
  while (json->at < json->end && *json->at && strchr(" \t\r\n", *json->at)) json->at++;
  if (json->at == json->end || *json->at != wanted) return false;
  json->at++;
  return true;
}

static void lam_json_want(struct lam_json *json, char wanted, const char *problem) {
  if (!lam_json_next(json, wanted)) lam_json_fail(json, problem);
}

static uint32_t lam_json_hex(struct lam_json *json) {
  char digits[5] = "";
  if (json->end - json->at >= 4) memcpy(digits, json->at, 4);
  if (strspn(digits, "0123456789abcdefABCDEF") != 4)
    return lam_json_fail(json, "\\u without four hexadecimal digits"), 0;
  json->at += 4;
  return (uint32_t)strtoul(digits, NULL, 16);
}

static void lam_json_escape(struct lam_json *json) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  char letter = json->at < json->end ? *json->at++ : 0;
  const char *found = letter ? strchr(letters, letter) : NULL;
  if (found) *json->memory++ = meanings[found - letters];
  if (found) return;
  if (letter != 'u') {
    lam_json_fail(json, "a backslash before a letter that it does not go with");
    return;
  }
  uint32_t code = lam_json_hex(json);
  if (code >= 0xD800 && code < 0xE000) { /* two halves are one character: \uD83D\uDE00 */
    bool pair = code < 0xDC00 && json->end - json->at >= 6 && json->at[0] == '\\' && json->at[1] == 'u';
    json->at += pair ? 2 : 0;
    uint32_t low = pair ? lam_json_hex(json) : 0;
    if (low < 0xDC00 || low >= 0xE000) {
      lam_json_fail(json, "half a surrogate pair");
      return;
    }
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  json->memory += lam_utf8_write(code, json->memory);
}

/* Without a place for its length, the string may hold no zeros. */
static char *lam_json_string(struct lam_json *json, size_t *length) {
  char *text = json->memory;
  lam_json_want(json, '"', "a string was expected");
  while (json->at < json->end && *json->at != '"') {
    if ((unsigned char)*json->at < 0x20)
      lam_json_fail(json, "a control character in a string");
    else if (*json->at != '\\')
      *json->memory = *json->at, json->memory++, json->at++;
    else
      json->at++, lam_json_escape(json);
  }
  size_t count = (size_t)(json->memory - text);
  lam_json_want(json, '"', "a string without end");
  if (json->problem) return text;
  *json->memory++ = 0;
  if (length) *length = count;
  if (!length && strlen(text) != count) lam_json_fail(json, "a zero inside a name");
  return text;
}

static uint64_t lam_json_number(struct lam_json *json) {
  uint64_t number = 0;
  lam_json_next(json, 0x7F); /* passes blanks */
  const char *first = json->at;
  for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; json->at++) {
    if (number > (INT64_MAX - 9) / 10) return lam_json_fail(json, "a number that is too large"), 0;
    number = number * 10 + (uint64_t)(*json->at - '0');
  }
  if (json->at == first) lam_json_fail(json, "a natural number was expected");
  if (json->at - first > 1 && *first == '0') lam_json_fail(json, "a number that begins with 0");
  return number;
}

/* "[1, 2, 3]": returns how many, at most `limit`. */
static int lam_json_numbers(struct lam_json *json, uint64_t *numbers, int limit) {
  int count = 0;
  lam_json_want(json, '[', "a list was expected");
  if (json->problem || lam_json_next(json, ']')) return 0;
  do {
    if (count == limit) return lam_json_fail(json, "a list that is too long (a tensor of more than 8 axes?)"), 0;
    numbers[count++] = lam_json_number(json);
  } while (lam_json_next(json, ','));
  lam_json_want(json, ']', "a list without end");
  return count;
}

/* The next key of an object, past its ':'; NULL after the last. `*first` is true before the first. */
static const char *lam_json_member(struct lam_json *json, bool *first) {
  if (*first) lam_json_want(json, '{', "an object was expected");
  if (lam_json_next(json, '}') || json->problem) return NULL;
  if (!*first) lam_json_want(json, ',', "',' or '}' was expected");
  *first = false;
  const char *key = lam_json_string(json, NULL);
  lam_json_want(json, ':', "':' was expected");
  return json->problem ? NULL : key;
}

static const char lam_no_memory[] = "there is not enough memory for it";

static void lam_json_metadata(struct lam_json *json, struct lam_pairs *metadata) {
  const char *key;
  if (metadata->count) lam_json_fail(json, "__metadata__ stands twice");
  for (bool first = true; (key = lam_json_member(json, &first)) != NULL;) {
    size_t length;
    const char *value = lam_json_string(json, &length);
    if (!json->problem && !lam_pairs_add(metadata, key, value, length)) lam_json_fail(json, lam_no_memory);
  }
}

static void lam_json_entry(struct lam_json *json, struct lam_entry *entry) {
  uint64_t shape[LAM_MAX_RANK] = {0}, offsets[2] = {0};
  int seen = 0;
  const char *key;
  for (bool first = true; (key = lam_json_member(json, &first)) != NULL;) {
    int bit = !strcmp(key, "dtype") ? 1 : !strcmp(key, "shape") ? 2 : !strcmp(key, "data_offsets") ? 4 : 0;
    if (!bit || seen & bit)
      lam_json_fail(json, "a tensor has a key twice, or one other than dtype, shape, data_offsets");
    seen |= bit;
    if (bit == 1) entry->type_name = lam_json_string(json, NULL);
    if (bit == 2) entry->rank = lam_json_numbers(json, shape, LAM_MAX_RANK);
    if (bit == 4 && lam_json_numbers(json, offsets, 2) != 2) lam_json_fail(json, "data_offsets is not two numbers");
  }
  if (seen != 7) lam_json_fail(json, "a tensor without dtype, shape or data_offsets");
  for (int i = 0; i < entry->rank; i++) entry->shape[i] = (int64_t)shape[i];
  entry->begin = offsets[0], entry->end = offsets[1];
}

static void lam_json_header(struct lam_json *json, struct lam_weights *weights) {
  int64_t capacity = 0;
  const char *name;
  for (bool first = true; (name = lam_json_member(json, &first)) != NULL;) {
    if (!strcmp(name, "__metadata__")) {
      lam_json_metadata(json, &weights->metadata);
      continue;
    }
    if (weights->count == capacity) {
      capacity = capacity ? 2 * capacity : 64;
      struct lam_entry *entries = realloc(weights->entries, (size_t)capacity * sizeof *entries);
      if (!entries) {
        lam_json_fail(json, lam_no_memory);
        return;
      }
      weights->entries = entries;
    }
    weights->entries[weights->count] = (struct lam_entry){.name = name};
    lam_json_entry(json, &weights->entries[weights->count++]);
  }
  lam_json_next(json, 0x7F);
  if (json->at != json->end) lam_json_fail(json, "something stands after the header's object");
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

static int lam_by_offset(const void *x, const void *y) {
  const struct lam_entry *a = x, *b = y;
  return a->begin != b->begin ? (a->begin < b->begin ? -1 : 1) : (a->end > b->end) - (a->end < b->end);
}

int lam_by_name(const void *x, const void *y) {
  return strcmp(((const struct lam_entry *)x)->name, ((const struct lam_entry *)y)->name);
}

/* NULL, or what is wrong with a tensor that should begin at byte `covered` of `available`. */
static const char *lam_entry_check(struct lam_entry *entry, uint64_t covered, uint64_t available) {
  for (entry->type = 0; entry->type < LAM_FILE_TYPES; entry->type++)
    if (!strcmp(entry->type_name, lam_file_types[entry->type].name)) break;
  if (entry->type == LAM_FILE_TYPES) return "has an unknown type";
  uint64_t bytes = lam_file_types[entry->type].bytes;
  for (int k = 0; k < entry->rank; k++) {
    if (entry->shape[k] && bytes > INT64_MAX / (uint64_t)entry->shape[k]) return "is impossibly large";
    bytes *= (uint64_t)entry->shape[k];
  }
  if (entry->end < entry->begin || entry->end - entry->begin != bytes) return "has another size than its shape says";
  if (entry->end > available) return "ends beyond the file, which is not whole";
  if (entry->begin < covered) return "overlaps another";
  return entry->begin > covered ? "does not begin where the one before it ends" : NULL;
}

static int lam_check_entries(struct lam_weights *weights, uint64_t header, char message[LAM_MESSAGE]) {
  uint64_t available = weights->length - 8 - header, covered = 0;
  if (weights->count) qsort(weights->entries, (size_t)weights->count, sizeof *weights->entries, lam_by_offset);
  for (int64_t i = 0; i < weights->count; i++) {
    struct lam_entry *entry = &weights->entries[i];
    const char *problem = lam_entry_check(entry, covered, available);
    if (problem)
      return lam_fail(message, LAM_WRONG_FILE, "%s: tensor %s (%s) %s", weights->path, entry->name, entry->type_name,
                      problem);
    covered = entry->end;
    entry->data = weights->bytes + 8 + header + entry->begin;
  }
  if (covered != available)
    return lam_fail(message, LAM_WRONG_FILE, "%s: %llu bytes at its end belong to no tensor", weights->path,
                    (unsigned long long)(available - covered));
  if (weights->count) qsort(weights->entries, (size_t)weights->count, sizeof *weights->entries, lam_by_name);
  for (int64_t i = 1; i < weights->count; i++)
    if (!lam_by_name(&weights->entries[i - 1], &weights->entries[i]))
      return lam_fail(message, LAM_WRONG_FILE, "%s: tensor %s stands twice", weights->path, weights->entries[i].name);
  return LAM_OK;
}

/* --- Reading a file ----------------------------------------------------------------------------------------------- */

static int lam_parse(struct lam_weights *weights, lam_part_joiner *join, char message[LAM_MESSAGE]) {
  uint64_t header = 0;
  if (weights->length < 8)
    return lam_fail(message, LAM_WRONG_FILE, "%s is not a safetensors file: it has less than 8 bytes", weights->path);
  for (int i = 7; i >= 0; i--) header = header << 8 | weights->bytes[i];
  if (header > LAM_LARGEST_HEADER || header > weights->length - 8)
    return lam_fail(message, LAM_WRONG_FILE,
                    "%s is not a safetensors file, or is cut off: its header would take %llu bytes of %llu",
                    weights->path, (unsigned long long)header, (unsigned long long)weights->length);
  const char *text = (const char *)weights->bytes + 8;
  weights->names = malloc((size_t)header + 1);
  struct lam_json json = {text, text + header, weights->names, weights->names ? NULL : lam_no_memory};
  if (weights->names) lam_json_header(&json, weights);
  if (!json.problem) {
    const int status = lam_check_entries(weights, header, message);
    return status == LAM_OK && join ? join(weights, message) : status;
  }
  if (json.problem == lam_no_memory) return lam_fail(message, LAM_NO_MEMORY, "%s: %s", weights->path, lam_no_memory);
  return lam_fail(message, LAM_WRONG_FILE, "%s is not a safetensors file: %s, at byte %llu of its header",
                  weights->path, json.problem, (unsigned long long)(json.at - text));
}

void lam_weights_close(struct lam_weights *weights) {
  if (!weights) return;
#ifdef LAM_MAPS_FILES
  if (weights->map) munmap(weights->map, weights->length), close(weights->file);
#else
  free(weights->map);
#endif
  lam_pairs_free(&weights->metadata);
  free(weights->entries);
  free(weights->names);
  free(weights->joined);
  free(weights);
}

int lam_weights_take(struct lam_weights **weights, const char *path, const void *bytes, size_t length,
                     lam_part_joiner *join, char message[LAM_MESSAGE]) {
  *weights = calloc(1, sizeof **weights);
  if (!*weights) return lam_fail(message, LAM_NO_MEMORY, "%s: %s", path, lam_no_memory);
  **weights = (struct lam_weights){.path = path, .bytes = bytes, .length = length};
  const int status = lam_parse(*weights, join, message);
  if (status == LAM_OK) return LAM_OK;
  lam_weights_close(*weights);
  *weights = NULL;
  return status;
}

/* A file's bytes: in place where the system can do that, else a copy. NULL with errno; a file of no bytes has one. */
static void *lam_file_bytes(const char *path, size_t *length, int *opened) {
#ifdef LAM_MAPS_FILES
  const int file = *opened = open(path, O_RDONLY);
  struct stat status = {0};
  void *map = MAP_FAILED;
  if (file >= 0 && fstat(file, &status) == 0) {
    *length = S_ISREG(status.st_mode) && status.st_size > 0 ? (size_t)status.st_size : 0;
    if (!*length) errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    if (*length) map = mmap(NULL, *length, PROT_READ, MAP_PRIVATE, file, 0);
  }
  if (map != MAP_FAILED) return map;
  const int problem = errno;
  if (file >= 0) close(file);
  errno = problem;
  return NULL;
#else
  *opened = -1;
  FILE *file = fopen(path, "rb");
  unsigned char *bytes = NULL, *larger;
  size_t room = 0;
  *length = 0;
  while (file && !feof(file) && !ferror(file)) {
    if (*length == room) {
      if (!(larger = realloc(bytes, room = room ? 2 * room : 65536))) break;
      bytes = larger;
    }
    *length += fread(bytes + *length, 1, room - *length, file);
  }
  if (file && feof(file) && !ferror(file)) return fclose(file), bytes;
  const int problem = errno;
  if (file) fclose(file);
  free(bytes);
  errno = problem;
  return NULL;
#endif
}

int lam_open_weights(struct lam_weights **weights, const char *path, lam_part_joiner *join, char message[LAM_MESSAGE]) {
  size_t length = 0;
  int file;
  void *map = lam_file_bytes(path, &length, &file);
  *weights = NULL;
  if (!map && errno == EINVAL && !length)
    return lam_fail(message, LAM_WRONG_FILE, "%s is not a safetensors file: it has less than 8 bytes", path);
  if (!map)
    return lam_fail(message, errno == ENOMEM ? LAM_NO_MEMORY : LAM_CANNOT_READ, "cannot open %s: %s", path,
                    strerror(errno));
  const int status = lam_weights_take(weights, path, map, length, join, message);
  if (*weights) {
    (*weights)->map = map, (*weights)->file = file;
    return status;
  }
#ifdef LAM_MAPS_FILES
  munmap(map, length);
  close(file);
#else
  free(map);
#endif
  return status;
}

/* Pieces of a tensor are read from its file, since pages of the map would count as memory of the program. */
#ifdef LAM_MAPS_FILES
enum { LAM_PIECE = 1 << 15 };
#else
enum { LAM_PIECE = 64 };
#endif

/* So many bytes of the file from `from` on: read into `piece`, or where they are mapped. */
static const unsigned char *lam_piece(const struct lam_weights *weights, const unsigned char *from, size_t bytes,
                                      unsigned char piece[LAM_PIECE]) {
#ifdef LAM_MAPS_FILES
  if (weights->map && bytes <= LAM_PIECE &&
      pread(weights->file, piece, bytes, (off_t)(from - weights->bytes)) == (ssize_t)bytes)
    return piece;
#else
  (void)weights, (void)bytes, (void)piece;
#endif
  return from;
}

const struct lam_entry *lam_weights_find(const struct lam_weights *weights, const char *name) {
  const struct lam_entry key = {.name = name};
  return weights->count ? bsearch(&key, weights->entries, (size_t)weights->count, sizeof key, lam_by_name) : NULL;
}

/* Files are little-endian, as are the machines that this is for; elements may lie at any byte. */
static double lam_element(int type, const unsigned char *at) {
  uint64_t bits = 0;
  uint16_t half;
  float narrow;
  double wide;
  memcpy(&bits, at, lam_file_types[type].bytes);
  memcpy(&half, &bits, sizeof half);
  if (type == LAM_BF16) bits <<= 16;
  memcpy(&narrow, &bits, sizeof narrow);
  memcpy(&wide, &bits, sizeof wide);
  if (type == LAM_F32 || type == LAM_BF16) return (double)narrow;
  if (type == LAM_F64 || type == LAM_F16) return type == LAM_F64 ? wide : lam_get(&half, LAM_TYPE_F16, 0);
  if (type == LAM_I8) return (double)(int8_t)bits;
  return type == LAM_I32 ? (double)(int32_t)bits : (double)(int64_t)bits;
}

int lam_check_elements(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type,
                       char message[LAM_MESSAGE]) {
  bool is_real = lam_type_is_real(type), has_reals = entry->type <= LAM_BF16 || entry->widen;
  if (is_real != has_reals || entry->type >= LAM_KNOWN)
    return lam_fail(message, LAM_WRONG_FILE, "%s: tensor %s holds %s, where %s are wanted", weights->path, entry->name,
                    entry->type_name, is_real ? "F32, F16, BF16 or F64" : "I32, I64 or BOOL");
  const int64_t count = lam_count(entry->shape, entry->rank), size = (int64_t)lam_file_types[entry->type].bytes;
  const bool unsigned_4 = type == LAM_TYPE_U4 || entry->has_levels, small = type == LAM_TYPE_I4 || unsigned_4;
  const double least = unsigned_4 ? 0 : small ? -8 : INT32_MIN, most = unsigned_4 ? 15 : small ? 7 : INT32_MAX;
  unsigned char bytes[LAM_PIECE];
  for (int64_t first = 0, end; first < count && (small || type == LAM_TYPE_INTEGER); first = end) {
    end = count - first < LAM_PIECE / 8 ? count : first + LAM_PIECE / 8;
    const unsigned char *from = lam_piece(weights, entry->data + first * size, (size_t)((end - first) * size), bytes);
    for (int64_t i = first; i < end; i++) {
      const double number = lam_element(entry->type, from + (i - first) * size);
      if (number < least || number > most)
        return lam_fail(message, LAM_WRONG_FILE, "%s: tensor %s holds %.0f, more than %d bits", weights->path,
                        entry->name, number, small ? 4 : 32);
    }
  }
  return LAM_OK;
}

/* The elements from number `first` on, which begin at `from`. */
static void lam_convert(const struct lam_entry *entry, const unsigned char *from, enum lam_type type, int64_t first,
                        int64_t count, void *to) {
  const size_t size = lam_file_types[entry->type].bytes;
  const bool same = (entry->type == LAM_F32 && type == LAM_TYPE_REAL && sizeof(lam_real) == 4) ||
                    (entry->type == LAM_I8 && type == LAM_TYPE_I8) || (entry->type == LAM_U8 && type == LAM_TYPE_U8) ||
                    (entry->type == LAM_BF16 && type == LAM_TYPE_BF16) ||
                    (entry->type == LAM_F16 && type == LAM_TYPE_F16);
  if (entry->widen)
    entry->widen(entry, from, type, first, count, to);
  else if (same)
    memcpy(to, from, (size_t)count * size);
  else
    for (int64_t i = 0; i < count; i++) lam_set(to, type, i, lam_element(entry->type, from + (size_t)i * size));
}

void lam_read_elements(const struct lam_entry *entry, enum lam_type type, int64_t first, int64_t count, void *to) {
  lam_convert(entry, entry->data + (size_t)first * lam_file_types[entry->type].bytes, type, first, count, to);
}

void lam_read_entry(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type, void *to) {
  const int64_t count = lam_count(entry->shape, entry->rank), size = (int64_t)lam_file_types[entry->type].bytes;
  const int64_t most = weights->map ? LAM_PIECE / 8 : count; /* even, since two may share a byte */
  unsigned char bytes[LAM_PIECE];
  for (int64_t first = 0; first < count; first += most) {
    const int64_t piece = count - first < most ? count - first : most;
    const unsigned char *from = lam_piece(weights, entry->data + first * size, (size_t)(piece * size), bytes);
    lam_convert(entry, from, type, first, piece, (char *)to + lam_type_bytes(type, first));
  }
}

/* --- Writing ------------------------------------------------------------------------------------------------------ */

/* What is written, or counted alone where there is no file. */
struct lam_sink {
  FILE *file;
  uint64_t count;
  bool failed;
};

static void lam_put(struct lam_sink *sink, const void *bytes, size_t length) {
  sink->count += length;
  if (sink->file && !sink->failed) sink->failed = fwrite(bytes, 1, length, sink->file) != length;
}

static void lam_put_text(struct lam_sink *sink, const char *text) { lam_put(sink, text, strlen(text)); }

static void lam_put_string(struct lam_sink *sink, const char *text, size_t length) {
  lam_put_text(sink, "\"");
  for (const char *end = text + length; text < end; text++) {
    char escape[8];
    if (*text == '"' || *text == '\\') lam_put_text(sink, "\\");
    if ((unsigned char)*text < 0x20 || *text == 0x7F)
      lam_put(sink, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*text));
    else
      lam_put(sink, text, 1);
  }
  lam_put_text(sink, "\"");
}

static void lam_put_header(struct lam_sink *sink, const struct lam_tensor *tensors, int count,
                           const struct lam_pairs *metadata) {
  static const char *const names[] = {
      [LAM_TYPE_REAL] = "F32", [LAM_TYPE_INTEGER] = "I32", [LAM_TYPE_BOOLEAN] = "BOOL", [LAM_TYPE_BF16] = "BF16",
      [LAM_TYPE_F16] = "F16",  [LAM_TYPE_I8] = "I8",       [LAM_TYPE_U8] = "U8",        [LAM_TYPE_I4] = "I8",
      [LAM_TYPE_U4] = "U8"}; /* files hold nothing narrower than a byte */
  long long offset = 0;
  char text[64];
  lam_put_text(sink, "{\"__metadata__\":{");
  for (int64_t i = 0; i < metadata->count; i++) {
    if (i) lam_put_text(sink, ",");
    lam_put_string(sink, metadata->items[i].key, strlen(metadata->items[i].key));
    lam_put_text(sink, ":");
    lam_put_string(sink, metadata->items[i].value, metadata->items[i].length);
  }
  lam_put_text(sink, "}");
  for (const struct lam_tensor *tensor = tensors; tensor < tensors + count; tensor++) {
    const int64_t elements = lam_count(tensor->shape, tensor->rank);
    const bool real = tensor->type == LAM_TYPE_REAL;
    const long long bytes = (long long)((size_t)elements * (real ? 4 : lam_type_size(tensor->type)));
    lam_put_text(sink, ",\n");
    lam_put_string(sink, tensor->name, strlen(tensor->name));
    lam_put(sink, text, (size_t)snprintf(text, sizeof text, ":{\"dtype\":\"%s\",\"shape\":[", names[tensor->type]));
    for (int k = 0; k < tensor->rank; k++)
      lam_put(sink, text, (size_t)snprintf(text, sizeof text, "%s%lld", k ? "," : "", (long long)tensor->shape[k]));
    lam_put(sink, text, (size_t)snprintf(text, sizeof text, "],\"data_offsets\":[%lld,%lld]}", offset, offset + bytes));
    offset += bytes;
  }
  lam_put_text(sink, "}");
  while (sink->count % 8) lam_put_text(sink, " "); /* aligns the data */
}

static void lam_put_tensor(struct lam_sink *sink, const struct lam_tensor *tensor) {
  size_t count = (size_t)lam_count(tensor->shape, tensor->rank), size = lam_type_size(tensor->type);
  if (tensor->type == LAM_TYPE_I4 || tensor->type == LAM_TYPE_U4) {
    for (size_t i = 0; i < count; i++) {
      const unsigned char byte = (unsigned char)(int)lam_get(tensor->data, tensor->type, (int64_t)i);
      lam_put(sink, &byte, 1);
    }
    return;
  }
  if (tensor->type != LAM_TYPE_REAL || size == sizeof(float)) {
    lam_put(sink, tensor->data, size * count);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    float x = (float)((const lam_real *)tensor->data)[i];
    lam_put(sink, &x, sizeof x);
  }
}

bool lam_put_weights(FILE *file, const struct lam_tensor *tensors, int count, const struct lam_pairs *metadata) {
  struct lam_sink header = {0}, sink = {.file = file};
  unsigned char length[8];
  lam_put_header(&header, tensors, count, metadata);
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)(header.count >> 8 * i);
  lam_put(&sink, length, sizeof length);
  lam_put_header(&sink, tensors, count, metadata);
  for (int i = 0; i < count; i++) lam_put_tensor(&sink, &tensors[i]);
  return !sink.failed;
}
