#pragma once
// The types of glibc keep one owner: the module that Swift itself imports them by.
#pragma clang module import SwiftGlibc
#include <libpq-fe.h>
