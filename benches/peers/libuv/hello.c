/* The least program on libuv: one turn of an empty loop. */

#include <uv.h>

int main(void) { return uv_run(uv_default_loop(), UV_RUN_DEFAULT); }
