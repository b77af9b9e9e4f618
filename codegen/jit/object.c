#include <elf.h>
#include <stdlib.h>

#include "codegen/jit/jit.h"

void jit_object_free(struct jit_object *object) {
  free(object->bytes);
  *object = (struct jit_object){0};
}

size_t jit_object_room(size_t size) { return (size + 15) / 16 * 16; }

bool jit_object_next(const struct jit_object *object, size_t *at, struct jit_object *elf) {
  if (*at + sizeof(Elf64_Ehdr) > object->size) return false;
  const Elf64_Ehdr *file = (const void *)(object->bytes + *at);
  elf->bytes = object->bytes + *at;
  elf->size = file->e_shoff + (size_t)file->e_shnum * file->e_shentsize; /* the section table is its last part */
  *at += jit_object_room(elf->size);
  return true;
}
