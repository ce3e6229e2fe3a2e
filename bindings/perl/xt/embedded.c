/* Several interpreters in one process, one after the other and side by side, each of which loads the module, scans,
 * logs, leaves objects behind, and is destroyed. Arguments: the spool, then what perl itself is given.
 */
#include <EXTERN.h>
#include <perl.h>

EXTERN_C void boot_DynaLoader(pTHX_ CV *cv);

static void boot(pTHX)
{
    newXS("DynaLoader::boot_DynaLoader", boot_DynaLoader, __FILE__);
}

static const char program[] =
    "use Postfix::QueueWatch;"
    "our $heard = 0; our $q; our $cursor;"
    "Postfix::QueueWatch->log_to(sub { $heard++ }, 'debug');"
    "sub look { my $dir = shift; $q = Postfix::QueueWatch->scan(queue_directory => $dir);"
    "  $cursor = $q->messages; $cursor->next; my $v = $q->check(critical => '0');"
    "  eval { $q->measure('nonsense') };"
    "  return 1000 * $v->state + $heard }";

static PerlInterpreter *start(int argc, char **argv, char **env)
{
    char *arguments[64];
    PerlInterpreter *my_perl = perl_alloc();
    int index, count = 0;

    arguments[count++] = argv[0];
    for (index = 2; index < argc && count < 60; index++)
        arguments[count++] = argv[index];
    arguments[count++] = "-e";
    arguments[count++] = (char *)program;
    arguments[count] = NULL;
    PERL_SET_CONTEXT(my_perl);
    perl_construct(my_perl);
    PL_exit_flags |= PERL_EXIT_DESTRUCT_END;
    PL_perl_destruct_level = 2;
    if (perl_parse(my_perl, boot, count, arguments, env) != 0 || perl_run(my_perl) != 0)
        exit(10);
    return my_perl;
}

static long look(PerlInterpreter *my_perl, const char *spool)
{
    long answer;

    PERL_SET_CONTEXT(my_perl);
    {
        dSP;

        ENTER;
        SAVETMPS;
        PUSHMARK(SP);
        XPUSHs(sv_2mortal(newSVpv(spool, 0)));
        PUTBACK;
        if (call_pv("look", G_SCALAR | G_EVAL) != 1 || SvTRUE(ERRSV)) {
            fprintf(stderr, "%s", SvPV_nolen(ERRSV));
            exit(11);
        }
        SPAGAIN;
        answer = POPi;
        PUTBACK;
        FREETMPS;
        LEAVE;
    }
    return answer;
}

static void stop(PerlInterpreter *my_perl)
{
    PERL_SET_CONTEXT(my_perl);
    PL_perl_destruct_level = 2;
    perl_destruct(my_perl);
    perl_free(my_perl);
}

int main(int argc, char **argv, char **env)
{
    PerlInterpreter *first, *second;
    int round;

    PERL_SYS_INIT3(&argc, &argv, &env);
    for (round = 0; round < 3; round++) {
        first = start(argc, argv, env);
        if (look(first, argv[1]) != 2001 || look(first, argv[1]) != 2002)
            return 1;
        stop(first);
    }
    first = start(argc, argv, env);
    second = start(argc, argv, env);
    if (look(first, argv[1]) != 2001 || look(second, argv[1]) != 2001 || look(first, argv[1]) != 2002)
        return 2;
    stop(first);
    /* The level was one for the process: what is left works, with or without a log. */
    if (look(second, argv[1]) / 1000 != 2)
        return 3;
    stop(second);
    PERL_SYS_TERM();
    puts("5 interpreters");
    return 0;
}
