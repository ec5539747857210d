/*
 * harden.h - what the process gives up or asks for before it serves.
 */
#ifndef APP_HARDEN_H
#define APP_HARDEN_H

/*
 * No core dumps and no reading of the memory by others of the same user (secrets are in it), no
 * death by SIGPIPE or SIGXFSZ, as many descriptors as the hard limit allows, and a heap that is not
 * given back between requests.
 */
void harden_process(void);

#endif
