/*
 * Preloaded into iscsistart: its parent sleeps a second so that its child may open the socket they talk by, which takes the
 * child a few milliseconds.
 */
#include <time.h>

unsigned int sleep(unsigned int seconds)
{
	(void)seconds;
	nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	return 0;
}
