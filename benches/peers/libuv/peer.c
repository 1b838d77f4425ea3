/* libuv, in C as its users write it: `libuv-peer CELL COUNT PEERS`.
 *
 * The cells are those of ../src/cells; what one operation is, what is counted and which clock counts it
 * are the same. PEERS is the program that makes the load of the echo cells. Prints one line of JSON.
 */

#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* Figures: see ../src/figures.rs. */

static uint64_t read_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t now_ns(void) { return read_ns(CLOCK_MONOTONIC); }
static uint64_t process_ns(void) { return read_ns(CLOCK_PROCESS_CPUTIME_ID); }
static uint64_t thread_ns(void) { return read_ns(CLOCK_THREAD_CPUTIME_ID); }

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void print_percentiles(uint64_t *samples, size_t count) {
  qsort(samples, count, sizeof *samples, by_value);
  printf(",\"p50_ns\":%.2f,\"p99_ns\":%.2f", (double)samples[(size_t)((count - 1) * 0.50)],
         (double)samples[(size_t)((count - 1) * 0.99)]);
}

static void print_cpu(uint64_t cpu_ns, uint64_t count) {
  printf("{\"cpu_ns\":%.2f", (double)cpu_ns / (double)count);
}

static void *must(void *block) {
  if (block == NULL) abort();
  return block;
}

/* A. Echo. */

typedef struct {
  uv_tcp_t tcp; /* First: a handle's address is its connection's. */
  uv_write_t write;
  char *buffer;
} connection;

static struct {
  uint64_t connections, accepted, open, count;
  size_t message_len;
  uint64_t start_ns, cpu_ns;
  connection *all;
  uv_tcp_t listener;
} echo;

static void echo_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)suggested;
  connection *c = (connection *)handle;
  *buffer = uv_buf_init(c->buffer, echo.message_len > 512 ? echo.message_len : 512);
}

static void echo_closed(uv_handle_t *handle) {
  (void)handle;
  if (--echo.open == 0) echo.cpu_ns = process_ns() - echo.start_ns;
}

static void echo_written(uv_write_t *write, int status) {
  (void)write;
  assert(status == 0);
}

static void echo_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer) {
  connection *c = (connection *)stream;
  if (len < 0) {
    uv_close((uv_handle_t *)stream, echo_closed);
  } else if (len > 0) {
    uv_buf_t message = uv_buf_init(buffer->base, (unsigned)len);
    /* First without a request, as uv_try_write is there for; the rest, if any, would need one. */
    int sent = uv_try_write(stream, &message, 1);
    if (sent < 0) sent = 0;
    if (sent < len) {
      message = uv_buf_init(buffer->base + sent, (unsigned)(len - sent));
      uv_write(&c->write, stream, &message, 1, echo_written);
    }
  }
}

static void echo_accept(uv_stream_t *listener, int status) {
  assert(status == 0);
  connection *c = &echo.all[echo.accepted];
  c->buffer = must(malloc(echo.message_len > 512 ? echo.message_len : 512));
  uv_tcp_init(listener->loop, &c->tcp);
  if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) abort();
  if (++echo.accepted < echo.connections) return;
  uv_close((uv_handle_t *)listener, NULL);
  echo.start_ns = process_ns();
  for (uint64_t i = 0; i < echo.connections; i++)
    uv_read_start((uv_stream_t *)&echo.all[i].tcp, echo_alloc, echo_read);
}

static unsigned listen_at_any_port(uv_loop_t *loop, uv_tcp_t *listener, uv_connection_cb accepted) {
  struct sockaddr_in addr;
  uv_ip4_addr("127.0.0.1", 0, &addr);
  uv_tcp_init(loop, listener);
  uv_tcp_bind(listener, (struct sockaddr *)&addr, 0);
  uv_tcp_nodelay(listener, 1);
  if (uv_listen((uv_stream_t *)listener, 4096, accepted) != 0) abort();
  int len = sizeof addr;
  uv_tcp_getsockname(listener, (struct sockaddr *)&addr, &len);
  return ntohs(addr.sin_port);
}

/* The load of this kind, with at most four numbers; its standard input ends when this process does. */
static pid_t start_client(const char *peers, const char *kind, const uint64_t *numbers, int count) {
  char words[4][24];
  char *line[8] = {(char *)peers, (char *)"client", (char *)kind};
  for (int i = 0; i < count; i++) {
    snprintf(words[i], sizeof words[i], "%llu", (unsigned long long)numbers[i]);
    line[3 + i] = words[i];
  }
  int ends[2];
  if (pipe(ends) != 0) abort();
  pid_t client = fork();
  if (client == 0) {
    dup2(ends[0], 0);
    close(ends[0]);
    close(ends[1]);
    execv(peers, line);
    _exit(127);
  }
  close(ends[0]);
  return client;
}

static void run_echo(uv_loop_t *loop, uint64_t connections, size_t message_len, uint64_t count,
                     const char *peers) {
  echo.connections = echo.open = connections;
  echo.message_len = message_len;
  echo.count = (count + connections - 1) / connections * connections;
  echo.all = must(calloc(connections, sizeof *echo.all));
  unsigned port = listen_at_any_port(loop, &echo.listener, echo_accept);
  uint64_t numbers[4] = {port, connections, message_len, echo.count};
  pid_t client = start_client(peers, "echo", numbers, 4);
  uv_run(loop, UV_RUN_DEFAULT);
  int status = 0;
  waitpid(client, &status, 0);
  if (status != 0) abort();
  print_cpu(echo.cpu_ns, echo.count);
}

/* Connections that come and go, and connections that are merely there: see ../src/cells/connections.rs. */

enum { AT_ONCE = 32, WARM_UP = 1000, BUFFER_LEN = 512 };

static struct {
  uint64_t accepted, closed, count;
  uint64_t start_ns, cpu_ns;
  long before;
  uv_tcp_t listener;
} come;

static void churn_closed(uv_handle_t *handle) {
  free(((connection *)handle)->buffer);
  free(handle);
  come.closed++;
  if (come.closed == WARM_UP) come.start_ns = process_ns();
  if (come.closed < WARM_UP + come.count) return;
  come.cpu_ns = process_ns() - come.start_ns;
  uv_close((uv_handle_t *)&come.listener, NULL);
}

static void come_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
  (void)suggested;
  *buffer = uv_buf_init(((connection *)handle)->buffer, BUFFER_LEN);
}

static void churn_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer) {
  if (len < 0) {
    uv_close((uv_handle_t *)stream, churn_closed);
  } else if (len > 0) {
    uv_buf_t message = uv_buf_init(buffer->base, (unsigned)len);
    if (uv_try_write(stream, &message, 1) != len) abort();
  }
}

static void come_accept(uv_stream_t *listener, int status) {
  assert(status == 0);
  connection *c = must(malloc(sizeof *c));
  c->buffer = must(malloc(BUFFER_LEN));
  uv_tcp_init(listener->loop, &c->tcp);
  if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) abort();
  uv_read_start((uv_stream_t *)&c->tcp, come_alloc, churn_read);
}

static void run_churn(uv_loop_t *loop, uint64_t count, const char *peers) {
  come.count = count;
  unsigned port = listen_at_any_port(loop, &come.listener, come_accept);
  uint64_t numbers[4] = {port, AT_ONCE, 64, WARM_UP + count};
  pid_t client = start_client(peers, "churn", numbers, 4);
  uv_run(loop, UV_RUN_DEFAULT);
  int status = 0;
  waitpid(client, &status, 0);
  if (status != 0) abort();
  print_cpu(come.cpu_ns, count);
}

static long resident_bytes(void) {
  long size = 0, pages = 0;
  FILE *file = must(fopen("/proc/self/statm", "r"));
  if (fscanf(file, "%ld %ld", &size, &pages) != 2) abort();
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

static void crowd_accept(uv_stream_t *listener, int status) {
  uint64_t first = come.count / 10 > 0 ? come.count / 10 : 1;
  if (come.accepted == first) come.before = resident_bytes();
  come_accept(listener, status);
  if (++come.accepted < come.count) return;
  double bytes = (double)(resident_bytes() - come.before) / (double)(come.count - first);
  printf("{\"bytes\":%.2f}\n", bytes);
  exit(0);
}

static void run_crowd(uv_loop_t *loop, uint64_t count, const char *peers) {
  come.count = count;
  uint64_t numbers[2] = {listen_at_any_port(loop, &come.listener, crowd_accept), count};
  start_client(peers, "crowd", numbers, 2);
  uv_run(loop, UV_RUN_DEFAULT);
}

/* E. Timers. */

static void never(uv_timer_t *timer) {
  (void)timer;
  abort();
}

static void run_timer_cancel(uv_loop_t *loop, uint64_t count) {
  uint64_t start_ns = process_ns();
  uv_timer_t **timers = must(malloc(count * sizeof *timers));
  for (uint64_t i = 0; i < count; i++) {
    timers[i] = must(malloc(sizeof **timers));
    uv_timer_init(loop, timers[i]);
    uv_timer_start(timers[i], never, 1000 + i % 5000, 0);
  }
  /* Without a turn for their closing callbacks: stopped, and freed by the process's end. */
  for (uint64_t i = 0; i < count; i++) uv_timer_stop(timers[i]);
  print_cpu(process_ns() - start_ns, count);
}

static void run_timer_roll(uv_loop_t *loop, uint64_t count) {
  static uv_timer_t timers[1000];
  for (uint64_t i = 0; i < 1000; i++) {
    uv_timer_init(loop, &timers[i]);
    uv_timer_start(&timers[i], never, 30000 + i, 0);
  }
  uint64_t start_ns = process_ns();
  for (uint64_t i = 0; i < count; i++) {
    uv_timer_start(&timers[i % 1000], never, 30000 + i % 1000, 0);
    if (i % 64 == 63) uv_run(loop, UV_RUN_NOWAIT);
  }
  print_cpu(process_ns() - start_ns, count);
}

typedef struct {
  uv_timer_t timer;
  uint64_t due_ns;
} alarm_clock;

static struct {
  uint64_t *late_ns, fired, early;
} fire;

static void fire_due(uv_timer_t *timer) {
  uint64_t now = now_ns(), due = ((alarm_clock *)timer)->due_ns;
  fire.early += now < due;
  fire.late_ns[fire.fired++] = now < due ? 0 : now - due;
}

static void run_timer_fire(uv_loop_t *loop, uint64_t count) {
  alarm_clock *all = must(calloc(count, sizeof *all));
  fire.late_ns = must(calloc(count, sizeof *fire.late_ns));
  uint64_t start_ns = process_ns();
  for (uint64_t i = 0; i < count; i++) {
    uint64_t delay_ns = i * 7919 % count * (1000000000 / count);
    all[i].due_ns = now_ns() + delay_ns;
    uv_timer_init(loop, &all[i].timer);
    /* Its unit is the millisecond, counted from a time that the loop has cached: rounded up, both. */
    if (i % 64 == 0) uv_update_time(loop);
    uv_timer_start(&all[i].timer, fire_due, (delay_ns + 999999) / 1000000, 0);
  }
  uv_run(loop, UV_RUN_DEFAULT);
  print_cpu(process_ns() - start_ns, count);
  printf(",\"early\":%llu", (unsigned long long)fire.early);
  print_percentiles(fire.late_ns, fire.fired);
}

/* F. Wakes from another thread: see ../src/cells/wakes.rs. */

enum { PAUSE_NS = 50000 };

typedef enum { ONE_WAY, ROUND_TRIP, STORM } shape;

static struct {
  shape shape;
  uint64_t count;
  atomic_uint_fast64_t sent, sent_ns, seen;
  atomic_bool is_over;
  sem_t answer;
  uint64_t *samples, sample_count;
  uv_async_t async;
} wakes;

static void *wakes_thread(void *none) {
  for (uint64_t i = 1; i <= wakes.count; i++) {
    if (wakes.shape != STORM) {
      uint64_t start_ns = now_ns();
      while (now_ns() - start_ns < PAUSE_NS) __builtin_ia32_pause();
      atomic_store_explicit(&wakes.sent_ns, now_ns(), memory_order_relaxed);
      atomic_store_explicit(&wakes.sent, i, memory_order_release);
    }
    uv_async_send(&wakes.async);
    if (wakes.shape == ONE_WAY)
      while (atomic_load_explicit(&wakes.seen, memory_order_acquire) < i) __builtin_ia32_pause();
    if (wakes.shape == ROUND_TRIP) {
      sem_wait(&wakes.answer);
      wakes.samples[wakes.sample_count++] = now_ns() - wakes.sent_ns;
    }
  }
  atomic_store_explicit(&wakes.is_over, true, memory_order_release);
  uv_async_send(&wakes.async);
  return none;
}

static void wakes_seen(uv_async_t *async) {
  uint64_t sent = atomic_load_explicit(&wakes.sent, memory_order_acquire);
  if (wakes.shape != STORM && sent > wakes.seen) {
    if (wakes.shape == ONE_WAY) wakes.samples[wakes.sample_count++] = now_ns() - wakes.sent_ns;
    atomic_store_explicit(&wakes.seen, sent, memory_order_release);
    if (wakes.shape == ROUND_TRIP) sem_post(&wakes.answer);
  }
  if (atomic_load_explicit(&wakes.is_over, memory_order_acquire)) uv_close((uv_handle_t *)async, NULL);
}

static void run_wakes(uv_loop_t *loop, shape shape, uint64_t count) {
  wakes.shape = shape;
  wakes.count = count;
  wakes.samples = must(calloc(count, sizeof *wakes.samples));
  sem_init(&wakes.answer, 0, 0);
  uv_async_init(loop, &wakes.async, wakes_seen);
  uint64_t thread_start_ns = thread_ns(), process_start_ns = process_ns();
  pthread_t thread;
  if (pthread_create(&thread, NULL, wakes_thread, NULL) != 0) abort();
  uv_run(loop, UV_RUN_DEFAULT);
  uint64_t thread_cpu_ns = thread_ns() - thread_start_ns;
  pthread_join(thread, NULL);
  print_cpu(shape == STORM ? process_ns() - process_start_ns : thread_cpu_ns, count);
  if (shape != STORM) print_percentiles(wakes.samples, wakes.sample_count);
}

/* H. Work that blocks. */

static struct {
  uv_loop_t *loop;
  uint64_t to_submit, ended, warm_up, start_ns;
} jobs;

static void job_work(uv_work_t *work) { (void)work; }

static void job_ended(uv_work_t *work, int status) {
  if (status != 0) abort();
  if (++jobs.ended == jobs.warm_up) jobs.start_ns = process_ns();
  if (jobs.to_submit == 0) return;
  jobs.to_submit--;
  uv_queue_work(jobs.loop, work, job_work, job_ended);
}

static void run_blocking(uv_loop_t *loop, uint64_t in_flight, uint64_t count) {
  uv_work_t *works = must(calloc(in_flight, sizeof *works));
  jobs.loop = loop;
  jobs.warm_up = 1000;
  jobs.to_submit = count + jobs.warm_up - in_flight;
  for (uint64_t i = 0; i < in_flight; i++) uv_queue_work(loop, &works[i], job_work, job_ended);
  uv_run(loop, UV_RUN_DEFAULT);
  print_cpu(process_ns() - jobs.start_ns, count);
  free(works);
}

/* I. Files: see ../src/cells/files.rs. Each call is a trip to a thread, as its callbacks have it. */

enum { FILES_WARM_UP = 1000, FOLDERS = 100, FILES_EACH = 100 };

static struct {
  uv_fs_t request;
  char folder[64], path[96];
  char buffer[8192];
  uv_file file;
  uint64_t left, bytes, start_ns, count;
} reads;

static void read_again(uv_loop_t *loop);

static void read_closed(uv_fs_t *request) {
  if (request->result != 0) abort();
  uv_fs_req_cleanup(request);
  if (--reads.left == reads.count) reads.start_ns = process_ns();
  if (reads.left > 0) read_again(request->loop);
}

static void read_done(uv_fs_t *request) {
  ssize_t len = request->result;
  if (len < 0) abort();
  uv_fs_req_cleanup(request);
  reads.bytes += (uint64_t)len;
  /* As the others find out that there is no more. */
  uv_buf_t rest = uv_buf_init(reads.buffer + len, (unsigned)(sizeof reads.buffer - (size_t)len));
  if (len > 0) uv_fs_read(request->loop, request, reads.file, &rest, 1, -1, read_done);
  else uv_fs_close(request->loop, request, reads.file, read_closed);
}

static void read_opened(uv_fs_t *request) {
  if (request->result < 0) abort();
  reads.file = (uv_file)request->result;
  uv_fs_req_cleanup(request);
  uv_buf_t all = uv_buf_init(reads.buffer, sizeof reads.buffer);
  uv_fs_read(request->loop, request, reads.file, &all, 1, -1, read_done);
}

static void read_again(uv_loop_t *loop) {
  uv_fs_open(loop, &reads.request, reads.path, O_RDONLY, 0, read_opened);
}

static void write_file(const char *path, size_t len) {
  FILE *file = must(fopen(path, "w"));
  for (size_t i = 0; i < len; i++) putc(7, file);
  if (fclose(file) != 0) abort();
}

static void run_file_read(uv_loop_t *loop, uint64_t count) {
  snprintf(reads.folder, sizeof reads.folder, "/tmp/mainspring-peers-uv-%d", getpid());
  if (mkdir(reads.folder, 0777) != 0) abort();
  snprintf(reads.path, sizeof reads.path, "%s/file", reads.folder);
  write_file(reads.path, 4096);
  reads.count = count;
  reads.left = count + FILES_WARM_UP;
  read_again(loop);
  uv_run(loop, UV_RUN_DEFAULT);
  print_cpu(process_ns() - reads.start_ns, count);
  if (reads.bytes != 4096 * (count + FILES_WARM_UP)) abort();
  unlink(reads.path);
  rmdir(reads.folder);
}

/* A folder, or a file in it, that is still to be looked at. */
typedef struct place {
  struct place *next;
  char path[128];
} place;

static struct {
  uv_fs_t request;
  place *folders, *files;
  uint64_t bytes;
} tree;

static void walk_next(uv_loop_t *loop);

static void walk_push(place **list, const char *folder, const char *name) {
  place *p = must(malloc(sizeof *p));
  snprintf(p->path, sizeof p->path, "%s/%s", folder, name);
  p->next = *list;
  *list = p;
}

static void walk_looked(uv_fs_t *request) {
  if (request->result != 0) abort();
  tree.bytes += request->statbuf.st_size;
  uv_loop_t *loop = request->loop;
  uv_fs_req_cleanup(request);
  walk_next(loop);
}

static void walk_listed(uv_fs_t *request) {
  if (request->result < 0) abort();
  uv_dirent_t entry;
  while (uv_fs_scandir_next(request, &entry) != UV_EOF)
    walk_push(entry.type == UV_DIRENT_DIR ? &tree.folders : &tree.files, request->path, entry.name);
  uv_loop_t *loop = request->loop;
  uv_fs_req_cleanup(request);
  walk_next(loop);
}

static void walk_next(uv_loop_t *loop) {
  place **list = tree.files ? &tree.files : &tree.folders, *p = *list;
  if (p == NULL) return;
  *list = p->next;
  if (list == &tree.files) uv_fs_lstat(loop, &tree.request, p->path, walk_looked);
  else uv_fs_scandir(loop, &tree.request, p->path, 0, walk_listed);
  free(p);
}

static void walk(uv_loop_t *loop, const char *root) {
  tree.bytes = 0;
  walk_push(&tree.folders, root, ".");
  walk_next(loop);
  uv_run(loop, UV_RUN_DEFAULT);
  if (tree.bytes != FOLDERS * FILES_EACH * 4) abort();
}

static void run_dir_walk(uv_loop_t *loop, uint64_t count) {
  char root[64], path[128];
  snprintf(root, sizeof root, "/tmp/mainspring-peers-uv-%d", getpid());
  if (mkdir(root, 0777) != 0) abort();
  for (int i = 0; i < FOLDERS; i++) {
    snprintf(path, sizeof path, "%s/%d", root, i);
    if (mkdir(path, 0777) != 0) abort();
    for (int j = 0; j < FILES_EACH; j++) {
      snprintf(path, sizeof path, "%s/%d/%d", root, i, j);
      write_file(path, 4);
    }
  }
  uint64_t walks = (count + FOLDERS * FILES_EACH - 1) / (FOLDERS * FILES_EACH);
  walk(loop, root);
  uint64_t start_ns = process_ns();
  for (uint64_t i = 0; i < walks; i++) walk(loop, root);
  print_cpu(process_ns() - start_ns, walks * FOLDERS * FILES_EACH);
  for (int i = 0; i < FOLDERS; i++) {
    for (int j = 0; j < FILES_EACH; j++) {
      snprintf(path, sizeof path, "%s/%d/%d", root, i, j);
      unlink(path);
    }
    snprintf(path, sizeof path, "%s/%d", root, i);
    rmdir(path);
  }
  rmdir(root);
}

/* J. Children and signals: see ../src/cells/children.rs and signals.rs. */

static uint64_t children_ns(void) {
  struct rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  uint64_t us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000;
  return (us + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)) * 1000;
}

static struct {
  uv_process_t process;
  uv_process_options_t options;
  uint64_t left;
} children;

static void child_start(uv_loop_t *loop);

static void child_closed(uv_handle_t *process) {
  if (--children.left > 0) child_start(process->loop);
}

static void child_ended(uv_process_t *process, int64_t status, int signal) {
  if (status != 0 || signal != 0) abort();
  uv_close((uv_handle_t *)process, child_closed);
}

static void child_start(uv_loop_t *loop) {
  if (uv_spawn(loop, &children.process, &children.options) != 0) abort();
}

static void children_run(uv_loop_t *loop, uint64_t count) {
  children.left = count;
  child_start(loop);
  uv_run(loop, UV_RUN_DEFAULT);
}

static void run_spawn_wait(uv_loop_t *loop, const char *program, uint64_t count) {
  char *arguments[] = {(char *)program, NULL};
  uv_stdio_container_t streams[3];
  for (int i = 0; i < 3; i++) {
    streams[i].flags = UV_INHERIT_FD;
    streams[i].data.fd = i;
  }
  children.options.file = program;
  children.options.args = arguments;
  children.options.stdio = streams;
  children.options.stdio_count = 3;
  children.options.exit_cb = child_ended;
  children_run(loop, 20);
  uint64_t own_ns = process_ns(), all_ns = children_ns();
  children_run(loop, count);
  own_ns = process_ns() - own_ns;
  all_ns = children_ns() - all_ns + own_ns;
  print_cpu(all_ns, count);
  printf(",\"own_ns\":%.2f", (double)own_ns / (double)count);
}

/* The least program, which is beside PEERS; or the system's. */
static const char *least_true(const char *peers) {
  static char path[4096];
  const char *slash = strrchr(peers, '/');
  snprintf(path, sizeof path, "%.*sleast-true", slash ? (int)(slash - peers + 1) : 0, peers);
  return access(path, X_OK) == 0 ? path : "/bin/true";
}

static void run_spawn_wait_beside_1_gib(uv_loop_t *loop, const char *program, uint64_t count) {
  char *memory = must(malloc((size_t)1 << 30));
  memset(memory, 7, (size_t)1 << 30);
  run_spawn_wait(loop, program, count);
  free(memory);
}

static void *signals_thread(void *none) {
  for (uint64_t i = 1; i <= wakes.count; i++) {
    uint64_t start_ns = now_ns();
    while (now_ns() - start_ns < PAUSE_NS) __builtin_ia32_pause();
    atomic_store_explicit(&wakes.sent_ns, now_ns(), memory_order_relaxed);
    atomic_store_explicit(&wakes.sent, i, memory_order_release);
    kill(getpid(), SIGUSR1);
    while (atomic_load_explicit(&wakes.seen, memory_order_acquire) < i) __builtin_ia32_pause();
  }
  atomic_store_explicit(&wakes.is_over, true, memory_order_release);
  kill(getpid(), SIGUSR1);
  return none;
}

static void signal_seen(uv_signal_t *signal, int number) {
  (void)number;
  uint64_t sent = atomic_load_explicit(&wakes.sent, memory_order_acquire);
  if (sent > wakes.seen) {
    wakes.samples[wakes.sample_count++] = now_ns() - wakes.sent_ns;
    atomic_store_explicit(&wakes.seen, sent, memory_order_release);
  }
  if (atomic_load_explicit(&wakes.is_over, memory_order_acquire)) uv_close((uv_handle_t *)signal, NULL);
}

static void run_signal_resume(uv_loop_t *loop, uint64_t count) {
  wakes.count = count;
  wakes.samples = must(calloc(count, sizeof *wakes.samples));
  uv_signal_t signal;
  uv_signal_init(loop, &signal);
  uv_signal_start(&signal, signal_seen, SIGUSR1);
  uint64_t thread_start_ns = thread_ns();
  pthread_t thread;
  if (pthread_create(&thread, NULL, signals_thread, NULL) != 0) abort();
  uv_run(loop, UV_RUN_DEFAULT);
  uint64_t thread_cpu_ns = thread_ns() - thread_start_ns;
  pthread_join(thread, NULL);
  print_cpu(thread_cpu_ns, count);
  print_percentiles(wakes.samples, wakes.sample_count);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "version") == 0) {
    puts(uv_version_string());
    return 0;
  }
  if (argc != 4) {
    fputs("libuv-peer CELL COUNT PEERS\n", stderr);
    return 2;
  }
  const char *cell = argv[1], *peers = argv[3];
  uint64_t count = strtoull(argv[2], NULL, 10);
  uv_loop_t *loop = uv_default_loop();
  if (strcmp(cell, "echo-1") == 0) run_echo(loop, 1, 64, count, peers);
  else if (strcmp(cell, "echo-50") == 0) run_echo(loop, 50, 64, count, peers);
  else if (strcmp(cell, "echo-1000") == 0) run_echo(loop, 1000, 64, count, peers);
  else if (strcmp(cell, "echo-16k") == 0) run_echo(loop, 64, 16 * 1024, count, peers);
  else if (strcmp(cell, "churn") == 0) run_churn(loop, count, peers);
  else if (strcmp(cell, "idle-conns") == 0) run_crowd(loop, count, peers);
  else if (strcmp(cell, "timer-cancel") == 0) run_timer_cancel(loop, count);
  else if (strcmp(cell, "timer-roll") == 0) run_timer_roll(loop, count);
  else if (strcmp(cell, "timer-fire") == 0) run_timer_fire(loop, count);
  else if (strcmp(cell, "wake-oneway") == 0) run_wakes(loop, ONE_WAY, count);
  else if (strcmp(cell, "wake-rtt") == 0) run_wakes(loop, ROUND_TRIP, count);
  else if (strcmp(cell, "wake-storm") == 0) run_wakes(loop, STORM, count);
  else if (strcmp(cell, "blocking") == 0) run_blocking(loop, 1, count);
  else if (strcmp(cell, "blocking-1000") == 0) run_blocking(loop, 1000, count);
  else if (strcmp(cell, "file-read") == 0) run_file_read(loop, count);
  else if (strcmp(cell, "dir-walk") == 0) run_dir_walk(loop, count);
  else if (strcmp(cell, "spawn-wait") == 0) run_spawn_wait(loop, least_true(peers), count);
  else if (strcmp(cell, "spawn-wait-1g") == 0) run_spawn_wait_beside_1_gib(loop, least_true(peers), count);
  else if (strcmp(cell, "spawn-true") == 0) run_spawn_wait(loop, "/bin/true", count);
  else if (strcmp(cell, "signal-resume") == 0) run_signal_resume(loop, count);
  else return 2;
  puts("}");
  return 0;
}
