"""Which slot holds what in generated programs (the language itself gives slots no meaning)."""

#                    slots 0..2: plain futures
LIST_SLOT = 3      # + i: what body i gives to `ensure`, if its value is a list
LAST_LIST_BODY = 4  # ... which only bodies up to this one do
TASK_SLOT = 8      # + j: the last task of body j
ENSURED_SLOT = 16  # + i: what body i gives to `ensure` otherwise
COPY_SLOT = 24     # + j: a further task of body j
