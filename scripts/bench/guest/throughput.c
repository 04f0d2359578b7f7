/*
 * The real init in the root of the throughput benchmark. The session that booted it is ours; it has iscsistart log in a second
 * time to the same target, and moves the same data through LUN 2 of either session in turns. Lines on the console:
 *
 *   bench: value WHO NAME VALUE             what a session has negotiated
 *   bench: moved ROUND WHO WHAT BYTES S     one measurement
 *   bench: error TEXT
 *   bench: end
 *
 * WHO is "ours" or "iscsistart". Everything bypasses the page cache (O_DIRECT).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LUN = 2, MIB = 1 << 20, SPAN = 256 * MIB };

/* job is one kind of measurement: count blocks of size bytes, with so many threads at once. */
struct job {
	const char *what;
	int write, random, threads, count;
	size_t size;
};

static const struct job jobs[] = {
	{ "read", 0, 0, 4, 48, MIB },
	{ "write", 1, 0, 4, 48, MIB },
	{ "random", 0, 1, 8, 1000, 4096 },
};

/* run is a job under way. */
struct run {
	const struct job *job;
	int fd;
	atomic_int next, failed;
};

static FILE *console;

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench: error ", console);
	vfprintf(console, format, args);
	fprintf(console, ": %s\n", strerror(errno));
	fclose(console);
	reboot(RB_POWER_OFF);
	exit(1);
}

/* place scatters blocks over the disk, the same for everybody. */
static off_t place(const struct job *j, unsigned i)
{
	return (off_t)(j->random ? i * 2654435761u % (SPAN / j->size) : i) * j->size;
}

static void *work(void *arg)
{
	struct run *r = arg;
	const struct job *j = r->job;
	void *block;
	int i;

	if (posix_memalign(&block, 4096, j->size))
		return NULL;
	memset(block, 0x5a, j->size);
	while ((i = atomic_fetch_add(&r->next, 1)) < j->count) {
		ssize_t n = j->write ? pwrite(r->fd, block, j->size, place(j, i)) : pread(r->fd, block, j->size, place(j, i));
		if (n != (ssize_t)j->size)
			atomic_store(&r->failed, errno ? errno : EIO);
	}
	free(block);
	return NULL;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void measure(int round, const char *who, const char *disk, const struct job *j)
{
	struct run r = { .job = j, .fd = open(disk, O_RDWR | O_DIRECT) };
	pthread_t threads[8];

	if (r.fd < 0)
		die("open %s", disk);
	double begin = seconds();
	for (int i = 0; i < j->threads; i++)
		if (pthread_create(&threads[i], NULL, work, &r))
			die("thread");
	for (int i = 0; i < j->threads; i++)
		pthread_join(threads[i], NULL);
	double took = seconds() - begin;
	if ((errno = atomic_load(&r.failed)))
		die("%s %s", j->what, disk);
	close(r.fd);
	if (round > 0) /* the first round warms up */
		fprintf(console, "bench: moved %d %s %s %zu %.6f\n", round, who, j->what, j->count * j->size, took);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s", path);
	close(fd);
}

/* find_disk waits for LUN 2 of a SCSI host and writes its node's path. */
static void find_disk(int host, char *path, size_t len)
{
	char pattern[128];
	glob_t found;

	snprintf(pattern, sizeof pattern, "/sys/class/scsi_device/%d:0:0:%d/device/block/*", host, LUN);
	for (int tries = 0; tries < 1000; tries++, usleep(10000)) {
		if (glob(pattern, 0, NULL, &found))
			continue;
		snprintf(path, len, "/dev/%s", strrchr(found.gl_pathv[0], '/') + 1);
		globfree(&found);
		if (!access(path, R_OK))
			return;
	}
	errno = ENODEV;
	die("no LUN %d on host %d", LUN, host);
}

/* newest_host is the highest SCSI host number. */
static int newest_host(void)
{
	int newest = -1, n;
	DIR *d = opendir("/sys/class/iscsi_host");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (sscanf(e->d_name, "host%d", &n) == 1 && n > newest)
			newest = n;
	closedir(d);
	return newest;
}

/* show_values prints what iscsi class attributes of a host's session say. */
static void show_values(const char *who, int host)
{
	static const char *const names[] = {
		"iscsi_connection/*/max_recv_dlength", "iscsi_connection/*/max_xmit_dlength", "iscsi_session/*/first_burst_len",
		"iscsi_session/*/max_burst_len", "iscsi_session/*/initial_r2t", "iscsi_session/*/immediate_data",
		"scsi_device/*:2/device/queue_depth",
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char pattern[256], value[64] = "";
		glob_t found;
		snprintf(pattern, sizeof pattern, "/sys/class/%s", names[i]);
		if (glob(pattern, 0, NULL, &found))
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++) {
			char real[4096], mark[32];
			snprintf(mark, sizeof mark, "/host%d/", host);
			if (!realpath(found.gl_pathv[k], real) || !strstr(real, mark))
				continue;
			FILE *f = fopen(real, "r");
			if (f && fgets(value, sizeof value, f))
				fprintf(console, "bench: value %s %s %s", who, strrchr(names[i], '/') + 1, value);
			if (f)
				fclose(f);
		}
		globfree(&found);
	}
}

static void second_session(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		execl("/bin/iscsistart", "iscsistart", "-i", "iqn.2007-01.com.example:server.bench", "-t",
		      "iqn.2007-01.com.example:storage.remote1", "-g", "1", "-a", "10.77.0.1", "-p", "3261", NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		die("run iscsistart");
	errno = EPROTO;
	if (status)
		die("iscsistart ended with status 0x%x", status);
}

int main(void)
{
	char ours[64], theirs[64];
	int rounds = 5;

	console = fopen("/dev/console", "w");
	if (!console)
		return 1;
	setlinebuf(console);
	fputs("\n", console);
	FILE *f = fopen("/etc/rounds", "r");
	if (f && fscanf(f, "%d", &rounds) != 1)
		die("rounds");
	int host = newest_host();
	char scan[64];
	snprintf(scan, sizeof scan, "/sys/class/scsi_host/host%d/scan", host);
	write_file(scan, "- - -");
	find_disk(host, ours, sizeof ours);
	second_session();
	find_disk(newest_host(), theirs, sizeof theirs);
	show_values("ours", host);
	show_values("iscsistart", newest_host());
	for (int round = 0; round <= rounds; round++)
		for (size_t j = 0; j < sizeof jobs / sizeof *jobs; j++)
			for (int turn = 0; turn < 2; turn++) {
				int us = (turn + round) % 2;
				measure(round, us ? "ours" : "iscsistart", us ? ours : theirs, &jobs[j]);
			}
	fputs("bench: end\n", console);
	fclose(console);
	reboot(RB_POWER_OFF);
	return 1;
}
