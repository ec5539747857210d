/*
 * curl_words.h - why a transfer of libcurl failed, in words of ours.
 *
 * libcurl's own sentences differ between versions and TLS libraries, name milliseconds nobody asked
 * for, and may quote what a peer sent.
 */
#ifndef HTTP_CURL_WORDS_H
#define HTTP_CURL_WORDS_H

#include <stddef.h>

enum { CURL_WORDS_SIZE = 512 };

/*
 * "login.example.com:443: connection refused". `easy` is the transfer's CURL handle, just ended
 * with `code`; `proxy` is the URL of the proxy that it went through (NULL: none). Host and port
 * come from its URL, never more of that; nothing comes from the peer.
 */
void curl_words(void *easy, int code, const char *proxy, char ret_words[CURL_WORDS_SIZE]);

#endif
