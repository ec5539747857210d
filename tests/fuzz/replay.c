/* Replays a fuzz target over the files of the folders it is given: each finding stays found. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    static uint8_t data[1 << 20];
    size_t size = fread(data, 1, sizeof(data), file);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    return 0;
}

static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return -1;
    int count = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (replay_file(path) == 0)
            count++;
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        int here = replay_folder(argv[i]);
        if (here <= 0) {
            (void)fprintf(stderr, "%s: no corpus\n", argv[i]);
            return EXIT_FAILURE;
        }
        count += here;
    }
    (void)printf("%d inputs replayed\n", count);
    return EXIT_SUCCESS;
}
