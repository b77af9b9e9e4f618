#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "codegen/jit/code_memory.h"

#include <elf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_SECTIONS = 64 };

struct placed {
  char name[64];
  uint8_t *at;
};

struct code_symbol {
  char *name;
  uintptr_t address; /* relative to its section until the file ends */
  size_t size;
  char section[64];
};

struct code_file {
  struct code_memory *memory;
  struct placed sections[MOST_SECTIONS];
  int section_count;
  struct code_symbol *symbols;
  size_t symbol_count, symbol_capacity;
  bool is_placed; /* the symbols have addresses */
  struct code_file *next;
};

/* Sections of a kind lie side by side: dozens of small files would otherwise take a page and two system calls for each section. */
enum kind { CODE, CONSTANTS, VARIABLES, KINDS };
static const int protections[KINDS] = {PROT_READ | PROT_EXEC, PROT_READ, PROT_READ | PROT_WRITE};

struct code_memory {
  uint8_t *base;
  size_t size, used[KINDS]; /* each kind has an equal part of the size */
  struct code_file *files;
  struct code_memory *next;
};

/* A list of all. Signal handlers read it without the lock, so it is changed by single stores. */
static struct code_memory *first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }
static size_t round_up(size_t size, size_t step) { return (size + step - 1) / step * step; }

struct code_memory *code_memory_new(size_t sections_size) {
  struct code_memory *memory = calloc(1, sizeof *memory);
  if (!memory) abort();
  /* Twice as much leaves room for the stubs by which far functions are called. */
  memory->size = KINDS * round_up(sections_size * 2 + ((size_t)4 << 20), page_size());
  memory->base = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory->base == MAP_FAILED) {
    free(memory);
    return NULL;
  }
  pthread_mutex_lock(&lock);
  memory->next = first;
  first = memory;
  pthread_mutex_unlock(&lock);
  return memory;
}

void code_memory_free(struct code_memory *memory) {
  pthread_mutex_lock(&lock);
  for (struct code_memory **at = &first; *at; at = &(*at)->next)
    if (*at == memory) {
      *at = memory->next;
      break;
    }
  pthread_mutex_unlock(&lock);
  munmap(memory->base, memory->size);
  while (memory->files) {
    struct code_file *file = memory->files;
    memory->files = file->next;
    for (size_t i = 0; i < file->symbol_count; i++) free(file->symbols[i].name);
    free(file->symbols);
    free(file);
  }
  free(memory);
}

static bool add_symbol(struct code_file *file, const char *name, const char *section, uintptr_t offset, size_t size) {
  if (file->symbol_count == file->symbol_capacity) {
    size_t capacity = file->symbol_capacity ? file->symbol_capacity * 2 : 256;
    struct code_symbol *more = realloc(file->symbols, capacity * sizeof *more);
    if (!more) return false;
    file->symbols = more;
    file->symbol_capacity = capacity;
  }
  struct code_symbol *symbol = &file->symbols[file->symbol_count];
  *symbol = (struct code_symbol){.name = strdup(name), .address = offset, .size = size};
  if (!symbol->name) return false;
  snprintf(symbol->section, sizeof symbol->section, "%s", section);
  file->symbol_count++;
  return true;
}

struct code_file *code_file_begin(struct code_memory *memory, const char *elf, size_t size) {
  const Elf64_Ehdr *head = (const void *)elf;
  struct code_file *file = calloc(1, sizeof *file);
  if (!file || size < sizeof *head) {
    free(file);
    return NULL;
  }
  file->memory = memory;
  file->next = memory->files;
  memory->files = file;
  const Elf64_Shdr *sections = (const void *)(elf + head->e_shoff);
  const char *names = elf + sections[head->e_shstrndx].sh_offset;
  for (int i = 0; i < head->e_shnum; i++) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const Elf64_Sym *symbols = (const void *)(elf + sections[i].sh_offset);
    const char *texts = elf + sections[sections[i].sh_link].sh_offset;
    for (size_t k = 0; k < sections[i].sh_size / sizeof *symbols; k++)
      if (ELF64_ST_TYPE(symbols[k].st_info) == STT_FUNC && symbols[k].st_shndx != SHN_UNDEF &&
          symbols[k].st_shndx < head->e_shnum &&
          !add_symbol(file, texts + symbols[k].st_name, names + sections[symbols[k].st_shndx].sh_name,
                      symbols[k].st_value, symbols[k].st_size))
        return NULL;
  }
  return file;
}

uint8_t *code_file_section(struct code_file *file, size_t size, size_t alignment, const char *name, bool code,
                           bool read_only) {
  struct code_memory *memory = file->memory;
  const enum kind kind = code ? CODE : read_only ? CONSTANTS : VARIABLES;
  const size_t room = memory->size / KINDS, begin = round_up(memory->used[kind], alignment ? alignment : 1);
  if (begin > room || size > room - begin || file->section_count == MOST_SECTIONS) return NULL;
  struct placed *placed = &file->sections[file->section_count++];
  *placed = (struct placed){.at = memory->base + (size_t)kind * room + begin};
  snprintf(placed->name, sizeof placed->name, "%s", name);
  memory->used[kind] = begin + size;
  return placed->at;
}

bool code_memory_protect(struct code_memory *memory) {
  const size_t room = memory->size / KINDS;
  for (int kind = 0; kind < KINDS; kind++)
    if (mprotect(memory->base + (size_t)kind * room, room, protections[kind]) != 0) return false;
  return true;
}

void code_file_end(struct code_file *file) {
  size_t kept = 0;
  for (size_t i = 0; i < file->symbol_count; i++) {
    struct code_symbol symbol = file->symbols[i];
    const struct placed *section = NULL;
    for (int k = 0; k < file->section_count && !section; k++)
      if (!strcmp(file->sections[k].name, symbol.section)) section = &file->sections[k];
    if (section) {
      symbol.address += (uintptr_t)section->at;
      file->symbols[kept++] = symbol;
    } else {
      free(symbol.name);
    }
  }
  file->symbol_count = kept;
  file->is_placed = true;
}

const char *code_function(uintptr_t address, size_t *offset) {
  for (const struct code_memory *memory = first; memory; memory = memory->next) {
    if (address < (uintptr_t)memory->base || address >= (uintptr_t)memory->base + memory->size) continue;
    for (const struct code_file *file = memory->files; file; file = file->next)
      for (size_t i = 0; file->is_placed && i < file->symbol_count; i++) {
        const struct code_symbol *symbol = &file->symbols[i];
        if (address < symbol->address || address >= symbol->address + symbol->size) continue;
        *offset = address - symbol->address;
        return symbol->name;
      }
  }
  return NULL;
}

void code_functions(void (*each)(void *context, uintptr_t address, size_t size, const char *name), void *context) {
  pthread_mutex_lock(&lock);
  for (const struct code_memory *memory = first; memory; memory = memory->next)
    for (const struct code_file *file = memory->files; file; file = file->next)
      for (size_t i = 0; file->is_placed && i < file->symbol_count; i++)
        each(context, file->symbols[i].address, file->symbols[i].size, file->symbols[i].name);
  pthread_mutex_unlock(&lock);
}
