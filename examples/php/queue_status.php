<?php
// The queues of Postfix for a web panel in PHP: figures, what the check says, and the oldest deferred messages, as JSON. No shell,
// no sudo and no output of mailq to be parsed: PHP calls libqueuewatch by FFI.
//
//   php -d ffi.enable=1 queue_status.php [--library FILE] [QUEUE_DIRECTORY [EPOCH]]
//
// Its exit code is the state of the check, and 3 with a message if nothing could be asked. `figures` holds exact values alone: one
// that is not known or only a lower bound is null there, and `at_least` has the lower bounds.
//
// In a web server FFI is allowed to preloaded files only (ffi.enable=preload); a panel runs this as a command of cron or a timer,
// as a user that may read the queues, and shows the file.
declare(strict_types=1);

const HEADER = __DIR__ . '/../../include/queuewatch.h';
const FIGURES = ['deferred.messages', 'deferred.oldest', 'active.messages', 'incoming.oldest', 'hold.messages', 'total.recipients'];
const SHOWN = 20;
// QW_QUALITY_EXACT and QW_QUALITY_AT_LEAST of the header.
const EXACT = 0;
const AT_LEAST = 1;

final class QueueWatch
{
    private FFI $library;

    public function __construct(string $library, string $header)
    {
        // FFI reads declarations alone: without preprocessor lines, C++ and attributes.
        $text = preg_replace('~^#ifdef __cplusplus\n.*?^#endif[^\n]*\n~ms', '', file_get_contents($header));
        $text = preg_replace('~^[ \t]*#(?:[^\n]*\\\\\n)*[^\n]*$~m', '', $text);
        $this->library = FFI::cdef(str_replace(['QW_API', 'QW_WARN_UNUSED'], '', $text), $library);
    }

    /** Calls a function that can fail, with its last parameter; throws what it says. */
    private function call(string $function, mixed ...$arguments): int
    {
        $error = $this->library->new('qw_error *');
        $arguments[] = FFI::addr($error);
        $status = $this->library->$function(...$arguments);
        if ($status > 1) {
            $text = FFI::isNull($error) ? "error $status" : $this->library->qw_error_message($error);
            $this->library->qw_error_free($error);
            throw new RuntimeException($text, $status);
        }
        return $status;
    }

    /** A handle that the function makes. */
    private function made(string $type, string $function, mixed ...$arguments): FFI\CData
    {
        $handle = $this->library->new("$type *");
        $this->call($function, ...[...$arguments, FFI::addr($handle)]);
        return $handle;
    }

    private static function bytes(FFI\CData $bytes): string
    {
        return $bytes->len === 0 ? '' : FFI::string($bytes->data, $bytes->len);
    }

    /** @param array<string, string> $settings options by their long names */
    public function look(array $settings): array
    {
        $options = $snapshot = $verdict = $text = $messages = null;
        try {
            $options = $this->made('qw_options', 'qw_options_new');
            foreach ($settings as $name => $value) {
                $this->call('qw_options_set', $options, $name, strlen($name), $value, strlen($value));
            }
            $snapshot = $this->made('qw_snapshot', 'qw_scan', $options);
            $verdict = $this->made('qw_verdict', 'qw_check', $options, $snapshot);
            $text = $this->made('qw_text', 'qw_verdict_output', $verdict, 0);
            $result = [
                'state' => $this->library->qw_verdict_state($verdict),
                'output' => rtrim(self::bytes($this->library->qw_text_bytes($text))),
                'figures' => [],
                'at_least' => [],
                'messages' => [],
            ];
            $value = $this->library->new('double');
            $quality = $this->library->new('qw_quality');
            foreach (FIGURES as $measure) {
                $where = [FFI::addr($value), FFI::addr($quality)];
                $this->call('qw_snapshot_measure', $snapshot, $measure, strlen($measure), ...$where);
                // The value of an unknown figure has no meaning, and a lower bound may be 0 beside thousands of messages.
                $result['figures'][$measure] = $quality->cdata === EXACT ? $value->cdata : null;
                if ($quality->cdata === AT_LEAST) {
                    $result['at_least'][$measure] = $value->cdata;
                }
            }
            $result['at_least'] = (object) $result['at_least'];
            $messages = $this->made('qw_messages', 'qw_messages_open', $snapshot, 'deferred', strlen('deferred'));
            $row = $this->library->new('qw_message');
            $address = $this->library->new('qw_bytes');
            while (count($result['messages']) < SHOWN) {
                // 1 is the end.
                if ($this->call('qw_messages_next', $messages, FFI::addr($row), FFI::sizeof($row)) === 1) {
                    break;
                }
                $recipients = [];
                for ($index = 0; $index < $row->recipients; $index++) {
                    $this->call('qw_messages_recipient', $messages, $index, FFI::addr($address));
                    $recipients[] = self::bytes($address);
                }
                $result['messages'][] = [
                    'queue_id' => self::bytes($row->queue_id),
                    'arrival' => $row->arrival,
                    'size' => $row->size,
                    'sender' => self::bytes($row->sender),
                    'recipients' => $recipients,
                ];
            }
            return $result;
        } finally {
            // Each takes NULL.
            $this->library->qw_messages_free($messages);
            $this->library->qw_text_free($text);
            $this->library->qw_verdict_free($verdict);
            $this->library->qw_snapshot_free($snapshot);
            $this->library->qw_options_free($options);
        }
    }
}

$words = array_slice($argv, 1);
$library = 'libqueuewatch.so.1';
if (($words[0] ?? '') === '--library') {
    [, $library] = array_splice($words, 0, 2);
}
$settings = ['timeout' => '60'];
if (isset($words[0])) {
    $settings['queue-directory'] = $words[0];
}
if (isset($words[1])) {
    $settings['now'] = $words[1];
}
try {
    $header = getenv('QUEUEWATCH_HEADER') ?: (is_file(HEADER) ? HEADER : '/usr/include/queuewatch.h');
    $result = (new QueueWatch($library, $header))->look($settings);
} catch (Throwable $error) {
    // FFI\Exception, for a library that is not there, and TypeError are no RuntimeException.
    fwrite(STDERR, 'queue_status: ' . $error->getMessage() . "\n");
    exit(3);
}
// Addresses are bytes; what is no UTF-8 is shown as such.
echo json_encode($result, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_PRETTY_PRINT), "\n";
exit($result['state']);
