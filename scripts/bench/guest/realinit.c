/*
 * The real init in the benchmark's root: it says when it began, on the kernel log's clock, reads back what the kernel log holds
 * of the boot, and switches the machine off. Lines on the console, times in seconds:
 *
 *   bench: run T           the kernel's "Run /init as init process"
 *   bench: real T          our first instruction, or as near as a C program gets
 *   bench: available N     MemAvailable in KiB
 *   bench: log T TEXT      a line of an init, if rd.debug is on the command line
 *   bench: end
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

static const char mark[] = "bench: the real init runs\n";
static int debug;

/* show prints what matters of one record, "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT\n" (Documentation/ABI/testing/dev-kmsg). */
static void show(FILE *console, const char *record)
{
	unsigned long long us;
	const char *text = strchr(record, ';');

	if (!text || sscanf(record, "%*u,%*u,%llu,", &us) != 1)
		return;
	text++;
	double t = us / 1e6;
	if (!strncmp(text, "Run ", 4) && strstr(text, " as init process"))
		fprintf(console, "bench: run %.6f\n", t);
	else if (!strncmp(text, mark, sizeof mark - 2))
		fprintf(console, "bench: real %.6f\n", t);
	else if (debug && (!strncmp(text, "iscsiroot: ", 11) || !strncmp(text, "bench: ", 7)))
		fprintf(console, "bench: log %.6f %.*s\n", t, (int)strcspn(text, "\n"), text);
}

static void log_records(FILE *console)
{
	static char record[9000]; /* a record is at most 8192 bytes: CONSOLE_EXT_LOG_MAX */
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	ssize_t n;

	while ((n = read(fd, record, sizeof record - 1)) > 0) {
		record[n] = 0;
		show(console, record);
	}
	close(fd);
}

static void available(FILE *console)
{
	char line[256];
	unsigned long kib;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %lu", &kib) == 1)
			fprintf(console, "bench: available %lu\n", kib);
}

int main(void)
{
	int kmsg = open("/dev/kmsg", O_WRONLY);

	if (write(kmsg, mark, sizeof mark - 1) < 0)
		exit(1);
	FILE *console = fopen("/dev/console", "w");
	if (!console)
		exit(1);
	fputs("\n", console);
	if (access("/proc/meminfo", R_OK))
		mount("proc", "/proc", "proc", 0, NULL);
	available(console);
	char line[4096] = "";
	FILE *cmdline = fopen("/proc/cmdline", "r");
	if (cmdline && fgets(line, sizeof line, cmdline))
		debug = strstr(line, " rd.debug") != NULL;
	log_records(console);
	fputs("bench: end\n", console);
	fclose(console);
	reboot(RB_POWER_OFF);
	return 1;
}
