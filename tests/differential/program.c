/*
 * program.c: the parser. One line is one instruction; tables say what its tokens
 * are, and a line that closes a block ends the list that is being read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#include "operations.h"

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) char data[];
};

void *arena_get(struct arena *arena, size_t size) {
    struct arena_block *block = arena->blocks;
    size = (size + 15) & ~(size_t)15;
    if (block == NULL || block->size - block->used < size) {
        const size_t room = size > 65536 ? size : 65536;
        block = calloc(1, sizeof *block + room);
        if (block == NULL) {
            fputs("out of memory\n", stderr);
            exit(2);
        }
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *piece = block->data + block->used;
    block->used += size;
    return piece;
}

void arena_free(struct arena *arena) {
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}

static const struct {
    const char *name, *signature;
} awaitables[] = {
    {"f", "slot"}, {"c", "body"}, {"sleep", "int"}, {"sleepres", "int int"},
    {"acquire", "lock"}, {"event", "event"}, {"cacquire", "cond"}, {"cwait", "cond"},
    {"cwaitfor", "cond var"}, {"sacquire", "sem"}, {"bwait", "barrier"},
    {"breset", "barrier"}, {"babort", "barrier"}, {"put", "queue int"}, {"get", "queue"},
    {"join", "queue"}, {"gather", "raise|return aws"}, {"shield", "aw"},
    {"wait", "all|first|exception when aws"}, {"waitfor", "when aw"},
};

struct parser {
    FILE *file;
    struct program *program;
    char *text;                  /* the line, cut at its blanks */
    char *token[MAX_TOKENS];
    int count, next, line;
    struct node *node;           /* that is being read */
};

static _Noreturn void refuse(const struct parser *p, const char *why) {
    fprintf(stderr, "program %ld line %d: %s\n", p->program->number, p->line, why);
    exit(2);
}

static char *take_token(struct parser *p) {
    if (p->next == p->count) refuse(p, "too few tokens");
    return p->token[p->next++];
}

static int64_t take_integer(struct parser *p) {
    char *end, *token = take_token(p);
    const int64_t value = strtoll(token, &end, 10);
    if (*end != '\0') refuse(p, "not an integer");
    return value;
}

/* The position of the next token among alternatives "a|b|c". */
static int64_t take_choice(struct parser *p, const char *choices) {
    const char *token = take_token(p);
    const size_t length = strlen(token);
    for (int64_t i = 0;; i++) {
        const size_t n = strcspn(choices, "| ");
        if (n == length && strncmp(choices, token, n) == 0) return i;
        if (choices[n] != '|') refuse(p, "not one of the words");
        choices += n + 1;
    }
}

static int64_t take_reference(struct parser *p, const char *kind, size_t length) {
    static const char *const names[] = {"slot", "task", "handle", "timeout", "group", "ctx",
                                        "token"};
    const int64_t number = take_integer(p);
    const int context = length == 3 && strncmp(kind, "ctx", 3) == 0;
    if (context && number == -1) return number;
    if (number < 0 || number >= LIMIT) refuse(p, "out of range");
    if (length == 4 && strncmp(kind, "body", 4) == 0) p->node->bodies++;
    for (int i = 0; i < SPACE_OTHER; i++) {
        if (strlen(names[i]) == length && strncmp(kind, names[i], length) == 0) {
            p->node->read[p->node->read_count++] = (struct read){(enum space)i, (int)number};
        }
    }
    return number;
}

static struct aw *take_awaitable(struct parser *p);

static struct aw **take_awaitables(struct parser *p, int count) {
    struct aw **list = arena_get(&p->program->arena, (size_t)(count + 1) * sizeof *list);
    for (int i = 0; i < count; i++) list[i] = take_awaitable(p);
    return list;
}

/* One argument, whose kind stands at the beginning of `kind`. */
static int64_t take_argument(struct parser *p, const char *kind, size_t length) {
    if (memchr(kind, '|', length) != NULL) return take_choice(p, kind);
    if (length == 3 && strncmp(kind, "int", 3) == 0) return take_integer(p);
    if (length == 4 && strncmp(kind, "when", 4) == 0) {
        if (p->next < p->count && strcmp(p->token[p->next], "none") != 0) return take_integer(p);
        take_token(p);
        return NO_TIME;
    }
    return take_reference(p, kind, length);
}

static struct aw *take_awaitable(struct parser *p) {
    struct aw *aw = arena_get(&p->program->arena, sizeof *aw);
    const char *name = take_token(p);
    const size_t known = sizeof awaitables / sizeof *awaitables;
    size_t kind = 0;
    while (kind < known && strcmp(awaitables[kind].name, name) != 0) kind++;
    if (kind == known) refuse(p, "no such awaitable");
    aw->kind = (enum aw_kind)kind;
    int at = 0;
    for (const char *s = awaitables[kind].signature; *s != '\0';) {
        const size_t n = strcspn(s, " ");
        if (strncmp(s, "aw", 2) == 0) {
            aw->count = n == 3 ? (int)take_integer(p) : 1;
            aw->child = take_awaitables(p, aw->count);
        } else {
            aw->arg[at++] = take_argument(p, s, n);
        }
        s += n + strspn(s + n, " ");
    }
    return aw;
}

static void take_arguments(struct parser *p) {
    struct node *node = p->node;
    int at = 0;
    for (const char *s = node->op->signature; *s != '\0';) {
        const size_t n = strcspn(s, " ");
        if (strncmp(s, "word", 4) == 0) {
            char *copy = take_token(p);
            node->word = strcmp(copy, "none") == 0 ? NULL
                         : strcpy(arena_get(&p->program->arena, strlen(copy) + 1), copy);
        } else if (n <= 3 && strncmp(s, "aw", 2) == 0) {
            node->aw_count = n == 3 ? (int)take_integer(p) : 1;
            node->aw = take_awaitables(p, node->aw_count);
        } else {
            node->arg[at++] = take_argument(p, s, n);
        }
        s += n + strspn(s + n, " ");
    }
    if (p->next != p->count) refuse(p, "too many tokens");
}

/* Reads and cuts the next line; 0 at the end of the program, whose next line
 * stays unread. */
static int read_line(struct parser *p) {
    static char text[8192];
    const long start = ftell(p->file);
    if (fgets(text, sizeof text, p->file) == NULL) return 0;
    if (strncmp(text, "program ", 8) == 0 && p->line >= 0) {
        fseek(p->file, start, SEEK_SET);
        return 0;
    }
    p->line++;
    p->count = p->next = 0;
    for (char *t = strtok(text, " \n"); t != NULL; t = strtok(NULL, " \n")) {
        if (p->count == MAX_TOKENS) refuse(p, "too many tokens");
        p->token[p->count++] = t;
    }
    return p->count > 0;
}

static struct node *read_node(struct parser *p) {
    struct node *node = arena_get(&p->program->arena, sizeof *node);
    node->op = find_op(take_token(p));
    if (node->op == NULL) refuse(p, "no such instruction");
    node->line = p->line;
    p->node = node;
    take_arguments(p);
    return node;
}

static struct node *read_block(struct parser *p, struct node **closing);

/* The inside of a block, and the clauses that follow it. */
static void read_inside(struct parser *p, struct node *node) {
    struct node *closing;
    struct node **end = &node->clauses;
    node->block = read_block(p, &closing);
    while (closing->op->code != OP_END) {
        struct node *clause = closing;
        clause->block = read_block(p, &closing);
        *end = clause;
        end = &clause->next;
    }
}

static struct node *read_block(struct parser *p, struct node **closing) {
    struct node *first = NULL, **end = &first;
    for (;;) {
        if (!read_line(p)) refuse(p, "a block is not closed");
        struct node *node = read_node(p);
        if (node->op->section == CLAUSE) {
            *closing = node;
            return first;
        }
        if (node->op->section == BLOCK) read_inside(p, node);
        *end = node;
        end = &node->next;
    }
}

struct program *read_program(FILE *file) {
    struct program *program = calloc(1, sizeof *program);
    struct parser parser = {.file = file, .program = program, .line = -1};
    struct node **end;
    if (program == NULL || !read_line(&parser)) {
        free(program);
        return NULL;
    }
    end = &program->declarations;
    if (strcmp(take_token(&parser), "program") != 0) refuse(&parser, "no program");
    program->number = (long)take_integer(&parser);
    while (read_line(&parser)) {
        struct node *node = read_node(&parser);
        if (node->op->section == DEFINITION) {
            read_inside(&parser, node);
            (node->op->code == OP_BODY ? program->bodies : program->funcs)[node->arg[0]] = node;
        } else {
            *end = node;
            end = &node->next;
        }
    }
    return program;
}

void free_program(struct program *program) {
    arena_free(&program->arena);
    free(program);
}
