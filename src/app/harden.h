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

/*
 * Takes the places of standard descriptors that were closed, so that no socket gets one of them and
 * is written to as if it were the log. Writing there fails. To be called before anything is opened.
 */
void harden_descriptors(void);

#endif
