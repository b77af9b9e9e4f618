/* Weights in files: an 8-byte length, a JSON header, and the tensors' bytes end to end (https://github.com/huggingface/safetensors).
   What is read may be anything: every number is checked before it is used, and the file must be covered exactly. */
#include "runtime/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct { const char *name; int bytes; } lam_dtypes[] = {
    {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I32", 4}, {"I64", 8}, {"BOOL", 1}, {"U8", 1}, {"I8", 1},
    {"U16", 2}, {"I16", 2}, {"U32", 4}, {"U64", 8}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
enum { LAM_DTYPES = sizeof lam_dtypes / sizeof *lam_dtypes, LAM_LARGEST_HEADER = 100000000 };

void lam_pairs_add(struct lam_pairs *pairs, const char *key, const char *value, size_t length) {
  pairs->items = lam_grow(pairs->items, pairs->count, &pairs->capacity, sizeof *pairs->items);
  char *copy = lam_allocate((int64_t)(strlen(key) + length) + 2, 1);
  memcpy(copy, value, length);
  strcpy(copy + length + 1, key);
  pairs->items[pairs->count++] = (struct lam_pair){copy + length + 1, copy, length};
}

const struct lam_pair *lam_pairs_find(const struct lam_pairs *pairs, const char *key) {
  for (int64_t i = 0; i < pairs->count; i++)
    if (strcmp(pairs->items[i].key, key) == 0) return &pairs->items[i];
  return NULL;
}

/* --- The header: as much of JSON as it needs, strictly ---------------------------------------------------------------------- */

struct lam_json {
  const char *at, *end;
  char *memory;        /* for strings: as long as the header, which is enough, for a string loses its two quotes */
  const char *problem; /* the first one */
};

static bool lam_json_fail(struct lam_json *json, const char *problem) {
  if (!json->problem) json->problem = problem;
  return false;
}

static void lam_json_blanks(struct lam_json *json) {
  while (json->at < json->end && *json->at && strchr(" \t\r\n", *json->at)) json->at++;
}

static bool lam_json_next(struct lam_json *json, char wanted) {
  lam_json_blanks(json);
  if (json->at == json->end || *json->at != wanted) return false;
  json->at++;
  return true;
}

static bool lam_json_hex(struct lam_json *json, uint32_t *code) {
  *code = 0;
  for (int i = 0; i < 4; i++, json->at++) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *digit = json->at < json->end && *json->at ? strchr(digits, *json->at) : NULL;
    if (!digit) return lam_json_fail(json, "\\u without four hexadecimal digits");
    *code = *code * 16 + (uint32_t)((digit - digits) % 16);
  }
  return true;
}

/* \uD83D\uDE00 is one character of two halves. */
static bool lam_json_escape(struct lam_json *json) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  char letter = json->at < json->end ? *json->at++ : 0;
  const char *found = letter ? strchr(letters, letter) : NULL;
  uint32_t code, low;
  if (found) {
    *json->memory++ = meanings[found - letters];
    return true;
  }
  if (letter != 'u') return lam_json_fail(json, "a backslash before a letter that it does not go with");
  if (!lam_json_hex(json, &code)) return false;
  if (code >= 0xD800 && code < 0xE000) {
    if (code >= 0xDC00 || json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
      return lam_json_fail(json, "half a surrogate pair");
    json->at += 2;
    if (!lam_json_hex(json, &low)) return false;
    if (low < 0xDC00 || low >= 0xE000) return lam_json_fail(json, "half a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  /* UTF-8, written out here so that programs without a tokenizer need none. */
  int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char marks[] = {0, 0xC0, 0xE0, 0xF0};
  *json->memory++ = (char)(marks[more] | code >> 6 * more);
  while (more-- > 0) *json->memory++ = (char)(0x80 | (code >> 6 * more & 0x3F));
  return true;
}

static char *lam_json_string(struct lam_json *json, size_t *length) {
  if (!lam_json_next(json, '"')) return lam_json_fail(json, "a string was expected"), NULL;
  char *text = json->memory;
  while (json->at < json->end && *json->at != '"') {
    if ((unsigned char)*json->at < 0x20) return lam_json_fail(json, "a control character in a string"), NULL;
    if (*json->at != '\\') {
      *json->memory++ = *json->at++;
    } else {
      json->at++;
      if (!lam_json_escape(json)) return NULL;
    }
  }
  if (json->at == json->end) return lam_json_fail(json, "a string without end"), NULL;
  json->at++;
  *length = (size_t)(json->memory - text);
  *json->memory++ = 0;
  return text;
}

static char *lam_json_name(struct lam_json *json) {
  size_t length;
  char *name = lam_json_string(json, &length);
  if (name && strlen(name) != length) return lam_json_fail(json, "a zero inside a name"), NULL;
  return name;
}

static bool lam_json_number(struct lam_json *json, uint64_t *number) {
  lam_json_blanks(json);
  *number = 0;
  const char *first = json->at;
  for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; json->at++) {
    if (*number > (INT64_MAX - 9) / 10) return lam_json_fail(json, "a number that is too large");
    *number = *number * 10 + (uint64_t)(*json->at - '0');
  }
  if (json->at == first) return lam_json_fail(json, "a natural number was expected");
  if (*first == '0' && json->at - first > 1) return lam_json_fail(json, "a number that begins with 0");
  return true;
}

/* "[1, 2, 3]": returns how many, at most `limit`, or -1. */
static int lam_json_numbers(struct lam_json *json, uint64_t *numbers, int limit) {
  int count = 0;
  if (!lam_json_next(json, '[')) return lam_json_fail(json, "a list was expected"), -1;
  if (lam_json_next(json, ']')) return 0;
  do {
    if (count == limit) return lam_json_fail(json, "a list that is too long (a tensor of more than 8 axes?)"), -1;
    if (!lam_json_number(json, &numbers[count++])) return -1;
  } while (lam_json_next(json, ','));
  return lam_json_next(json, ']') ? count : (lam_json_fail(json, "a list without end"), -1);
}

static bool lam_json_metadata(struct lam_json *json, struct lam_pairs *metadata) {
  if (!lam_json_next(json, '{')) return lam_json_fail(json, "__metadata__ is not an object");
  if (lam_json_next(json, '}')) return true;
  do {
    size_t length;
    const char *key = lam_json_name(json), *value;
    if (!key) return false;
    if (!lam_json_next(json, ':')) return lam_json_fail(json, "':' was expected");
    if (!(value = lam_json_string(json, &length))) return false;
    lam_pairs_add(metadata, key, value, length);
  } while (lam_json_next(json, ','));
  return lam_json_next(json, '}') || lam_json_fail(json, "__metadata__ without end");
}

static bool lam_json_entry(struct lam_json *json, struct lam_entry *entry) {
  uint64_t shape[LAM_MAX_RANK], offsets[2];
  bool has_shape = false, has_offsets = false;
  if (!lam_json_next(json, '{')) return lam_json_fail(json, "a tensor's entry is not an object");
  do {
    const char *key = lam_json_name(json);
    if (!key) return false;
    if (!lam_json_next(json, ':')) return lam_json_fail(json, "':' was expected");
    if (strcmp(key, "dtype") == 0 && !entry->dtype) {
      if (!(entry->dtype = lam_json_name(json))) return false;
    } else if (strcmp(key, "shape") == 0 && !has_shape) {
      if ((entry->rank = lam_json_numbers(json, shape, LAM_MAX_RANK)) < 0) return false;
      for (int i = 0; i < entry->rank; i++) entry->shape[i] = (int64_t)shape[i];
      has_shape = true;
    } else if (strcmp(key, "data_offsets") == 0 && !has_offsets) {
      if (lam_json_numbers(json, offsets, 2) != 2) return lam_json_fail(json, "data_offsets is not two numbers");
      entry->begin = offsets[0], entry->end = offsets[1];
      has_offsets = true;
    } else {
      return lam_json_fail(json, "a tensor's entry has a key twice, or one other than dtype, shape and data_offsets");
    }
  } while (lam_json_next(json, ','));
  if (!lam_json_next(json, '}')) return lam_json_fail(json, "a tensor's entry without end");
  if (!entry->dtype || !has_shape || !has_offsets) return lam_json_fail(json, "a tensor without dtype, shape or data_offsets");
  return true;
}

static bool lam_json_header(struct lam_json *json, struct lam_weights *weights) {
  int64_t capacity = 0;
  bool has_metadata = false;
  if (!lam_json_next(json, '{')) return lam_json_fail(json, "the header is not a JSON object");
  if (!lam_json_next(json, '}')) {
    do {
      const char *name = lam_json_name(json);
      if (!name) return false;
      if (!lam_json_next(json, ':')) return lam_json_fail(json, "':' was expected");
      if (strcmp(name, "__metadata__") == 0) {
        if (has_metadata) return lam_json_fail(json, "__metadata__ stands twice");
        has_metadata = true;
        if (!lam_json_metadata(json, &weights->metadata)) return false;
      } else {
        weights->entries = lam_grow(weights->entries, weights->count, &capacity, sizeof *weights->entries);
        weights->entries[weights->count] = (struct lam_entry){.name = name};
        if (!lam_json_entry(json, &weights->entries[weights->count++])) return false;
      }
    } while (lam_json_next(json, ','));
    if (!lam_json_next(json, '}')) return lam_json_fail(json, "',' or '}' was expected");
  }
  lam_json_blanks(json);
  return json->at == json->end || lam_json_fail(json, "something stands after the header's object");
}

/* --- Reading ------------------------------------------------------------------------------------------------------------------ */

static int lam_by_offset(const void *x, const void *y) {
  const struct lam_entry *a = x, *b = y;
  return a->begin != b->begin ? (a->begin < b->begin ? -1 : 1) : (a->end > b->end) - (a->end < b->end);
}

static int lam_by_name(const void *x, const void *y) {
  return strcmp(((const struct lam_entry *)x)->name, ((const struct lam_entry *)y)->name);
}

/* Tensors lie end to end and fill the file, each as long as its shape says. */
static bool lam_weights_check(struct lam_weights *weights, uint64_t header) {
  uint64_t available = weights->length - 8 - header, covered = 0;
  if (weights->count) qsort(weights->entries, (size_t)weights->count, sizeof *weights->entries, lam_by_offset);
  for (int64_t i = 0; i < weights->count; i++) {
    struct lam_entry *entry = &weights->entries[i];
    uint64_t bytes = 0;
    for (int k = 0; k < LAM_DTYPES; k++)
      if (strcmp(entry->dtype, lam_dtypes[k].name) == 0) bytes = (uint64_t)lam_dtypes[k].bytes;
    if (!bytes) return lam_error("%s: tensor %s has the unknown type %s", weights->path, entry->name, entry->dtype);
    for (int k = 0; k < entry->rank; k++) {
      uint64_t length = (uint64_t)entry->shape[k];
      if (length && bytes > INT64_MAX / length) return lam_error("%s: tensor %s is impossibly large", weights->path, entry->name);
      bytes *= length;
    }
    if (entry->end < entry->begin || entry->end - entry->begin != bytes)
      return lam_error("%s: tensor %s takes %lld bytes by its shape and has %lld", weights->path, entry->name, (long long)bytes,
                       (long long)(entry->end - entry->begin));
    if (entry->end > available)
      return lam_error("%s: tensor %s ends at byte %llu of %llu: the file is not whole", weights->path, entry->name,
                       (unsigned long long)entry->end, (unsigned long long)available);
    if (entry->begin != covered)
      return lam_error("%s: tensor %s %s", weights->path, entry->name,
                       entry->begin < covered ? "overlaps another" : "does not begin where the one before it ends");
    covered = entry->end;
    entry->data = weights->map + 8 + header + entry->begin;
  }
  if (covered != available)
    return lam_error("%s: %llu bytes at its end belong to no tensor", weights->path, (unsigned long long)(available - covered));
  if (weights->count) qsort(weights->entries, (size_t)weights->count, sizeof *weights->entries, lam_by_name);
  for (int64_t i = 1; i < weights->count; i++)
    if (strcmp(weights->entries[i - 1].name, weights->entries[i].name) == 0)
      return lam_error("%s: tensor %s stands twice", weights->path, weights->entries[i].name);
  return true;
}

static bool lam_weights_parse(struct lam_weights *weights) {
  uint64_t header = 0;
  for (int i = 7; i >= 0; i--) header = header << 8 | weights->map[i];
  if (header > LAM_LARGEST_HEADER || header > weights->length - 8)
    return lam_error("%s is not a safetensors file, or is cut off: its header would take %llu bytes of %zu", weights->path,
                     (unsigned long long)header, weights->length);
  const char *text = (const char *)weights->map + 8;
  weights->names = lam_allocate((int64_t)header + 1, 1);
  struct lam_json json = {text, text + header, weights->names, NULL};
  if (!lam_json_header(&json, weights))
    return lam_error("%s is not a safetensors file: %s, at byte %zd of its header", weights->path, json.problem, json.at - text);
  return lam_weights_check(weights, header);
}

struct lam_weights *lam_weights_open(const char *path) {
  int file = open(path, O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) {
    lam_error("cannot open %s: %s", path, strerror(errno));
    if (file >= 0) close(file);
    return NULL;
  }
  struct lam_weights *weights = lam_allocate(1, sizeof *weights);
  bool whole = false;
  weights->path = path;
  if (!S_ISREG(status.st_mode) || status.st_size < 8) {
    lam_error("%s is not a safetensors file: %s", path, S_ISREG(status.st_mode) ? "it is shorter than 8 bytes" : "it is no file");
  } else {
    weights->length = (size_t)status.st_size;
    weights->map = mmap(NULL, weights->length, PROT_READ, MAP_PRIVATE, file, 0);
    if (weights->map == MAP_FAILED) {
      weights->map = NULL;
      lam_error("cannot read %s: %s", path, strerror(errno));
    } else {
      whole = lam_weights_parse(weights);
    }
  }
  close(file);
  if (whole) return weights;
  lam_weights_close(weights);
  return NULL;
}

void lam_weights_close(struct lam_weights *weights) {
  if (!weights) return;
  if (weights->map) munmap(weights->map, weights->length);
  for (int64_t i = 0; i < weights->metadata.count; i++) free((char *)weights->metadata.items[i].value);
  free(weights->metadata.items);
  free(weights->entries);
  free(weights->names);
  free(weights);
}

const struct lam_entry *lam_weights_find(const struct lam_weights *weights, const char *name) {
  const struct lam_entry key = {.name = name};
  return weights->count ? bsearch(&key, weights->entries, (size_t)weights->count, sizeof key, lam_by_name) : NULL;
}

static double lam_half(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double size = exponent == 31 ? (fraction ? NAN : INFINITY) : ldexp(exponent ? 1024 + fraction : fraction, exponent ? exponent - 25 : -24);
  return bits & 0x8000 ? -size : size;
}

/* Files are little-endian, as are the machines that this is for; elements may lie at any byte. */
static bool lam_element(const char *dtype, const unsigned char *bytes, int64_t i, double *number) {
  if (strcmp(dtype, "F32") == 0) {
    float x;
    memcpy(&x, bytes + 4 * i, 4);
    *number = (double)x;
  } else if (strcmp(dtype, "F64") == 0) {
    memcpy(number, bytes + 8 * i, 8);
  } else if (strcmp(dtype, "F16") == 0 || strcmp(dtype, "BF16") == 0) {
    uint16_t half;
    memcpy(&half, bytes + 2 * i, 2);
    uint32_t whole = (uint32_t)half << 16;
    float x;
    memcpy(&x, &whole, 4);
    *number = dtype[0] == 'B' ? (double)x : lam_half(half);
  } else if (strcmp(dtype, "I32") == 0) {
    int32_t x;
    memcpy(&x, bytes + 4 * i, 4);
    *number = x;
  } else if (strcmp(dtype, "I64") == 0) {
    int64_t x;
    memcpy(&x, bytes + 8 * i, 8);
    *number = (double)x;
  } else if (strcmp(dtype, "BOOL") == 0 || strcmp(dtype, "U8") == 0) {
    *number = bytes[i];
  } else {
    return false;
  }
  return true;
}

bool lam_weights_read(const struct lam_weights *weights, const struct lam_entry *entry, enum lam_type type, void *to) {
  int64_t count = lam_count(entry->shape, entry->rank);
  bool is_real = entry->dtype[0] == 'F' || entry->dtype[0] == 'B';
  if (type == LAM_TYPE_REAL ? !is_real || strcmp(entry->dtype, "BOOL") == 0 : entry->dtype[0] == 'F' || strcmp(entry->dtype, "BF16") == 0)
    return lam_error("%s: tensor %s holds %s, where %s are wanted", weights->path, entry->name, entry->dtype,
                     type == LAM_TYPE_REAL ? "F32, F16, BF16 or F64" : type == LAM_TYPE_INTEGER ? "I32 or I64" : "BOOL");
  if (type == LAM_TYPE_REAL && sizeof(lam_real) == 4 && strcmp(entry->dtype, "F32") == 0) {
    memcpy(to, entry->data, 4 * (size_t)count);
    return true;
  }
  for (int64_t i = 0; i < count; i++) {
    double number;
    if (!lam_element(entry->dtype, entry->data, i, &number))
      return lam_error("%s: tensor %s holds %s, which is not read here", weights->path, entry->name, entry->dtype);
    if (type == LAM_TYPE_INTEGER && (number < INT32_MIN || number > INT32_MAX))
      return lam_error("%s: tensor %s holds %.0f, more than 32 bits", weights->path, entry->name, number);
    switch (type) {
      case LAM_TYPE_REAL: ((lam_real *)to)[i] = (lam_real)number; break;
      case LAM_TYPE_INTEGER: ((int32_t *)to)[i] = (int32_t)number; break;
      case LAM_TYPE_BOOLEAN: ((uint8_t *)to)[i] = number != 0; break;
    }
  }
  return true;
}

/* --- Writing ------------------------------------------------------------------------------------------------------------------ */

static void lam_write_string(FILE *file, const char *text, size_t length) {
  fputc('"', file);
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '"' || c == '\\')
      fprintf(file, "\\%c", c);
    else if (c < 0x20 || c == 0x7F)
      fprintf(file, "\\u%04x", c);
    else
      fputc(c, file);
  }
  fputc('"', file);
}

static void lam_write_header(FILE *file, const struct lam_tensor *tensors, int count, const struct lam_pairs *metadata) {
  static const char *const dtypes[] = {[LAM_TYPE_REAL] = "F32", [LAM_TYPE_INTEGER] = "I32", [LAM_TYPE_BOOLEAN] = "BOOL"};
  int64_t offset = 0;
  fputs("{\"__metadata__\":{", file);
  for (int64_t i = 0; i < metadata->count; i++) {
    if (i) fputc(',', file);
    lam_write_string(file, metadata->items[i].key, strlen(metadata->items[i].key));
    fputc(':', file);
    lam_write_string(file, metadata->items[i].value, metadata->items[i].length);
  }
  fputc('}', file);
  for (int i = 0; i < count; i++) {
    int64_t bytes = lam_count(tensors[i].shape, tensors[i].rank) * (tensors[i].type == LAM_TYPE_BOOLEAN ? 1 : 4);
    fputs(",\n", file);
    lam_write_string(file, tensors[i].name, strlen(tensors[i].name));
    fprintf(file, ":{\"dtype\":\"%s\",\"shape\":[", dtypes[tensors[i].type]);
    for (int k = 0; k < tensors[i].rank; k++) fprintf(file, "%s%lld", k ? "," : "", (long long)tensors[i].shape[k]);
    fprintf(file, "],\"data_offsets\":[%lld,%lld]}", (long long)offset, (long long)(offset + bytes));
    offset += bytes;
  }
  fputc('}', file);
}

static bool lam_write_tensor(FILE *file, const struct lam_tensor *tensor) {
  size_t count = (size_t)lam_count(tensor->shape, tensor->rank), size = lam_type_size(tensor->type);
  if (tensor->type != LAM_TYPE_REAL || size == sizeof(float)) return fwrite(tensor->data, size, count, file) == count;
  for (size_t i = 0; i < count; i++) {
    float x = (float)((const lam_real *)tensor->data)[i];
    if (fwrite(&x, sizeof x, 1, file) != 1) return false;
  }
  return true;
}

/* A rename is on the disk once its folder is. */
static bool lam_sync_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = lam_allocate((int64_t)strlen(path) + 2, 1);
  if (slash == path || !slash)
    strcpy(folder, slash ? "/" : ".");
  else
    memcpy(folder, path, (size_t)(slash - path));
  int file = open(folder, O_RDONLY);
  bool synced = file >= 0 && (fsync(file) == 0 || errno == EINVAL); /* some file systems cannot sync folders */
  if (file >= 0) close(file);
  free(folder);
  return synced;
}

bool lam_weights_write(const char *path, const struct lam_tensor *tensors, int count, const struct lam_pairs *metadata) {
  char *beside = lam_allocate((int64_t)strlen(path) + 5, 1), *header = NULL;
  size_t length = 0;
  strcat(strcpy(beside, path), ".tmp");
  FILE *memory = open_memstream(&header, &length);
  if (memory) {
    lam_write_header(memory, tensors, count, metadata);
    /* Spaces align the data to 8 bytes. */
    for (long end = ftell(memory); end % 8; end++) fputc(' ', memory);
  }
  bool good = memory && fclose(memory) == 0;
  FILE *file = good ? fopen(beside, "wb") : NULL;
  good = file != NULL;
  for (int i = 0; good && i < 8; i++) good = fputc((int)(length >> 8 * i & 0xFF), file) != EOF;
  good = good && fwrite(header, 1, length, file) == length;
  for (int i = 0; good && i < count; i++) good = lam_write_tensor(file, &tensors[i]);
  good = good && fflush(file) == 0 && fsync(fileno(file)) == 0;
  int problem = errno;
  if (file && fclose(file) != 0 && good) {
    good = false;
    problem = errno;
  }
  if (good && (rename(beside, path) != 0 || !lam_sync_folder(path))) {
    good = false;
    problem = errno;
  }
  if (!good) {
    if (file) remove(beside);
    lam_error("cannot write %s: %s; what it held before is unchanged", path, strerror(problem));
  }
  free(header);
  free(beside);
  return good;
}
