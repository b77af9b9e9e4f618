/* Texts as a terminal shows them: what would move its cursor, change its state or the order of its letters is written as an escape. */
#ifndef IR_DISPLAY_H
#define IR_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/arena.h"

/* The length of the UTF-8 character at `text`, of which `left` bytes are there, and its number; 0 when it is none, or a zero byte. */
int character_at(const char *text, size_t left, uint32_t *code);
/* A control character (C0, DEL, C1) or one that turns the direction of text round (U+202A to U+202E, U+2066 to U+2069). */
bool character_is_control(uint32_t code);
bool character_turns_text(uint32_t code);
/* What stands for the character at `text`: itself, or "\x1b" for a byte and "\u202e" for others that must not reach a terminal. Gives
   the bytes that it took from the text, and how many columns `shown` takes: 0 for what joins the letter before it, 2 for wide ones. */
enum { LONGEST_SHOWN_CHARACTER = 16 };
int character_shown(const char *text, size_t left, char shown[LONGEST_SHOWN_CHARACTER], int *columns);
/* The whole text so, in the arena. */
const char *printable(struct arena *arena, const char *text);

#endif
