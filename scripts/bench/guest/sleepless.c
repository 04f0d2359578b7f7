/*
 * Preloaded into iscsistart, whose parent sleeps a second so that its child may open the socket they talk by. Here it waits until
 * the socket is there, a few milliseconds.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

/* is_open looks for the socket's name (usr/mgmt_ipc.h: ISCSIADM_NAMESPACE). */
static int is_open(void)
{
	char line[256];
	int found = 0;
	FILE *f = fopen("/proc/net/unix", "r");

	while (f && !found && fgets(line, sizeof line, f))
		found = strstr(line, "@ISCSIADM_ABSTRACT_NAMESPACE") != NULL;
	if (f)
		fclose(f);
	return found;
}

unsigned int sleep(unsigned int seconds)
{
	for (unsigned int ms = 0; ms < seconds * 1000; ms++) {
		int open = is_open();

		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* between bind(2) and listen(2), too */
		if (open)
			break;
	}
	return 0;
}
