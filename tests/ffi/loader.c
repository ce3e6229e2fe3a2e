/* Loads the library with dlopen on a thread that then ends, and unloads it. argv[1] is the library. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static void *load(void *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *(*version)(void);
    int (*new_options)(void **, void **);
    void (*free_options)(void *);
    void *options = NULL;

    if (library == NULL)
        return NULL;
    *(void **)&version = dlsym(library, "qw_version");
    *(void **)&new_options = dlsym(library, "qw_options_new");
    *(void **)&free_options = dlsym(library, "qw_options_free");
    if (version == NULL || new_options == NULL || free_options == NULL || strlen(version()) == 0)
        return NULL;
    if (new_options(&options, NULL) != 0)
        return NULL;
    free_options(options);
    return dlclose(library) == 0 ? path : NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    void *result = NULL;

    if (argc != 2 || pthread_create(&thread, NULL, load, argv[1]) != 0)
        return 1;
    pthread_join(thread, &result);
    return result == NULL;
}
