// Linked into every program that is built with AddressSanitizer. libpqxx 6.4.5 loses libpq's answer to a
// statement, some 2 KB, when the connection is lost under it; the sanitizer should tell of our leaks, not of
// that one.

extern "C" const char* __lsan_default_suppressions() { return "leak:libpqxx\n"; }
