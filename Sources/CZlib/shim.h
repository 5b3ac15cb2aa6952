#pragma once
// The types of glibc keep one owner: the module that Swift itself imports them by.
#pragma clang module import SwiftGlibc
#include <zlib.h>
// inflateInit2 is a macro, which Swift does not import. 15 + 32: the largest window, gzip or zlib header detected.
static inline int splitstream_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 32); }
