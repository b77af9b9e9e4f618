/* Where linked code lies, and which function is where: memory for the sections of ELF files as ORC asks for it, and the names of their
   functions, static ones included, for backtraces and profilers. */
#ifndef CODEGEN_JIT_CODE_MEMORY_H
#define CODEGEN_JIT_CODE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_memory;

/* One piece of address space for `sections_size` bytes of sections, so that all code of a program reaches all of it; NULL when there is
   none to be had. */
struct code_memory *code_memory_new(size_t sections_size);
/* After whatever knows the code has forgotten it. */
void code_memory_free(struct code_memory *memory);

/* One ELF file: linking one may begin before another is done, when it needs that. NULL without memory. */
struct code_file;
struct code_file *code_file_begin(struct code_memory *memory, const char *elf, size_t size);
/* Zeroed memory for one section; NULL when it does not fit. */
uint8_t *code_file_section(struct code_file *file, size_t size, size_t alignment, const char *name, bool code,
                           bool read_only);
/* Sets what may be read, written and run; from now on the names are known. */
bool code_file_end(struct code_file *file);

/* The function at an address, of any program, and how far into it; NULL where it is none of ours. Safe in a signal handler. */
const char *code_function(uintptr_t address, size_t *offset);
/* Calls `each` for all functions of all programs. */
void code_functions(void (*each)(void *context, uintptr_t address, size_t size, const char *name), void *context);

/* --- crash.c -------------------------------------------------------------------------------------------------------------- */

/* From now on a crash of the process says in which functions, its own included, before it ends as it would have. */
void name_crashes(void);
/* Writes /tmp/perf-PID.map, where perf looks for names. */
bool write_perf_map(void);

#endif
