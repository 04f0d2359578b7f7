/*
 * An init in C that knows everything beforehand: what is left of a boot when no process is forked but iscsistart. /modules lists
 * module files in order, with a line "step NAME" after those of each step; "step nic" is followed by the address.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char cmdline[4096];

static void die(const char *what)
{
	perror(what);
	_exit(1); /* the kernel panics */
}

/* say writes a line to the kernel log. */
static void say(const char *what, const char *value)
{
	static int kmsg = -1;
	char line[64];
	int n = snprintf(line, sizeof line, "<6>bench: %s %s\n", what, value);

	if (!strstr(cmdline, " rd.debug"))
		return;
	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (write(kmsg, line, n) != n) /* not dprintf, which seeks first: the kernel's log refuses that */
		die("/dev/kmsg");
}

/* step says that a step has ended. */
static void step(const char *name)
{
	say("step", name);
}

static void read_cmdline(void)
{
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, cmdline, sizeof cmdline - 1);

	if (n <= 0)
		die("/proc/cmdline");
	cmdline[n] = 0;
	close(fd);
}

/* parameter returns the value of KEY, which ends with '='. */
static char *parameter(const char *key)
{
	const char *at = strstr(cmdline, key);

	if (!at)
		die(key);
	at += strlen(key);
	return strndup(at, strcspn(at, " \n"));
}

static void set_address(int fd, unsigned long request, struct ifreq *req, const char *text)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&req->ifr_addr;

	memset(in, 0, sizeof *in);
	in->sin_family = AF_INET;
	if (!inet_aton(text, &in->sin_addr) || ioctl(fd, request, req))
		die(text);
}

static void network(void)
{
	struct ifreq req = {.ifr_name = "eth0"};
	char *address = parameter("iscsi_i_ip="), *mask = strchr(address, '/');
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!mask)
		die("iscsi_i_ip without a netmask");
	*mask++ = 0;
	set_address(fd, SIOCSIFADDR, &req, address);
	set_address(fd, SIOCSIFNETMASK, &req, mask);
	if (ioctl(fd, SIOCGIFFLAGS, &req))
		die("eth0");
	req.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &req))
		die("eth0");
	step("address");
}

/* processor_time is what this process has used, in seconds. */
static double processor_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* load returns the processor time that it took. */
static double load(const char *path)
{
	double begin = processor_time();
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		die(path);
	close(fd);
	return processor_time() - begin;
}

static void modules(void)
{
	char line[256], took[32];
	double sum = 0;
	FILE *list = fopen("/modules", "r");

	if (!list)
		die("/modules");
	while (fgets(line, sizeof line, list)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "step ", 5)) {
			sum += load(line);
			continue;
		}
		step(line + 5);
		if (!strcmp(line, "step nic"))
			network();
	}
	fclose(list);
	snprintf(took, sizeof took, "%.3f s", sum);
	say("modules", took);
}

static void login(void)
{
	char *argv[] = {"iscsistart", "-i", parameter("iscsi_i="), "-t", parameter("iscsi_t="), "-g", "1", "-a", parameter("iscsi_a="), NULL};
	char *envp[] = {"LD_PRELOAD=/lib/sleepless.so", NULL};
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execve("/bin/iscsistart", argv, envp);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("iscsistart");
	step("iscsistart");
}

/* wait_for waits for a block device, looking every millisecond. It is there before it can be opened. */
static void wait_for(const char *path)
{
	int fd;

	while ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	close(fd);
	step("disk");
}

static void switch_root(void)
{
	if (mount("/dev/sda2", "/sysroot", "ext4", MS_RDONLY, NULL))
		die("/dev/sda2");
	step("mount");
	if (mount("/dev", "/sysroot/dev", NULL, MS_MOVE, NULL) || mount("/proc", "/sysroot/proc", NULL, MS_MOVE, NULL) ||
	    mount("/sys", "/sysroot/sys", NULL, MS_MOVE, NULL))
		die("move");
	if (chdir("/sysroot") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
		die("chroot");
	execl("/sbin/init", "init", NULL);
	die("/sbin/init");
}

int main(void)
{
	if (mount("proc", "/proc", "proc", 0, NULL) || mount("sysfs", "/sys", "sysfs", 0, NULL) ||
	    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL))
		die("mount");
	read_cmdline();
	step("start");
	modules();
	login();
	wait_for("/dev/sda2");
	switch_root();
}
