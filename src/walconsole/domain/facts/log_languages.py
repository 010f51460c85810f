"""PostgreSQL's words for the end of an archive command, in the languages that lc_messages may be.

From the translations of PostgreSQL 15 (src/backend/po: de, es, fr, it, ja, ka, ko, ru, sv, uk, zh_CN), the
errors of the C library from glibc's. A letter beyond ASCII may be written in another encoding than the log is
read in: there any one to three characters count.
"""

import re

from walconsole.domain.patterns import pattern

FAILED = pattern(
    r"archive command failed with exit code (\d+)"
    r"|Archivbefehl ist fehlgeschlagen mit Statuscode (\d+)"
    r"|orden de archivado fall.{1,3} con c.{1,3}digo de retorno (\d+)"
    r"|chec de la commande d.archivage avec un code de retour (\d+)"
    r"|comando di archiviazione fallito con codice di uscita (\d+)"
    r"|アーカイブコマンドがリターンコード ?(\d+)"
    r"|ბრძანების შეცდომა\. შეცდომის კოდი: (\d+)"
    r"|아카이브 명령 실패, 종료 코드: (\d+)"
    r"|команда архивации завершилась ошибкой с кодом (\d+)|команда архівації завершилась помилкой з кодом "
    r"(\d+)"
    r"|arkiveringskommando misslyckades med felkod (\d+)"
    r"|归档命令执行失败，退出代码为 ?(\d+)"
    # Not among those of 15: by the stem alone, for what ends with a number (pl, pt_BR, cs), and Turkish.
    r"|\b(?:arquivamento|archiwizacji|archiva\w{0,3}n\w{0,3}) .*?\b(\d{1,3})\W*$"
    r"|\bar.{1,3}iv komutu.*?\b(\d{1,3})\b",
    re.IGNORECASE,
)
KILLED = pattern(
    r"archive command was terminated by (?:signal|exception) (?:0x)?(\w+)"
    r"|Archivbefehl wurde von Signal (\d+) beendet"
    r"|orden de archivado fue terminada por una se.{1,3}al (\d+)"
    r"|commande d.archivage a .{1,3}t.{1,3} termin.{1,3}e par le signal (\d+)"
    r"|comando di archiviazione terminato dal segnale (\d+)"
    r"|アーカイブコマンドはシグナル ?(\d+)"
    r"|არქივაციის ბრძანება დასრულდა სიგნალით (\d+)"
    r"|(\d+)번 시그널로 인해 아카이브 명령"
    r"|команда архивации завершена по сигналу (\d+)|команда архівації була перервана сигналом (\d+)"
    r"|arkiveringskommandot terminerades av signal (\d+)"
    r"|归档命令被信号 ?(\d+)",
    re.IGNORECASE,
)
COMMAND = pattern(
    r"the failed archive command was:|fehlgeschlagene Archivbefehl war:|La orden fallida era:"
    r"|commande d.archivage qui a .{1,3}chou|comando di archiviazione fallito era:"
    r"|失敗したアーカイブコマンドは|არქივირების წარუმატებლად|실패한 아카이브 명령:"
    r"|Команда архивации с ошибкой:|Команда архівації з помилкою:|arkiveringskommandot var:|失败的归档命令",
    re.IGNORECASE,
)
STARTED = pattern(
    r"database system is ready to accept|Datenbanksystem ist bereit|sistema de bases de datos est.{1,3} listo"
    r"|base.{1,3} de donn.{1,3}es est pr.{1,3}t pour accepter|database .{1,3} pronto ad accettare"
    r"|データベースシステムの接続受け付け準備|სისტემა მზადაა შეერთებების|데이터베이스 서버로 접속할 수"
    r"|система БД готова|databassystemet .{1,3}r redo|система бази даних готова|数据库系统准备接受",
    re.IGNORECASE,
)
RELOADED = pattern(
    r"received SIGHUP, reloading|SIGHUP empfangen|recibi.{1,3} SIGHUP|a re.{1,3}u SIGHUP|SIGHUP ricevuto"
    r"|SIGHUPを受け|მიღებულია SIGHUP|SIGHUP 신호|получен SIGHUP|mottog SIGHUP|отримано SIGHUP|接收到 SIGHUP",
)
NOT_CONFIGURED = pattern(
    r"archive_mode enabled, yet arch|archive_mode ist an, aber|archive_mode est.{1,3} activo, y sin embargo"
    r"|archive_mode abilitato, ma|archive_modeは有効ですが|archive_mode ჩართულია, მაგრამ"
    r"|archive_mode가 활성화"
    r"|режим архивации включ.н, но|archive_mode .{1,3}r p.{1,3}slagen, men|archive_mode активовано, але"
    r"|已启用归档模式参数archive_mode，但是",
    re.IGNORECASE,
)
ORPHAN = pattern(
    r"orphan archive status file|verwaiste Archivstatusdatei|archivo de estado hu.{1,3}rfano"
    r"|statut d.archivage orphelin|file di stato dell.archivio orfano|孤立したアーカイブステータス"
    r"|მიტოვებული არქივის|아카이브 상태 파일이 삭제|ненужный файл состояния архива"
    r"|bort .{1,3}vergiven arkivstatusfil|залишковий файл статусу архіву|孤立存档状态",
    re.IGNORECASE,
)
LIBRARY = pattern(
    r"could not load library|could not access file|konnte Bibliothek .* nicht laden|nicht auf Datei .* "
    r"zugreifen"
    r"|cargar la biblioteca|no se pudo acceder al archivo|charger la biblioth|pu acc.{1,3}der au fichier"
    r"|caricamento della libreria|accesso al file .* fallito|をロードできません|アクセスできません"
    r"|ბიბლიოთეკის|წვდომის შეცდომა|라이브러리를 불러|액세스할 수 없|загрузить библиотеку|обращении к файлу"
    r"|ladda l.{1,3}nkbibliotek|komma .{1,3}t filen|завантажити бібліотеку|немає доступу до файлу"
    r"|无法加载库|无法访问文件"
    r"|[\"»«]archive_(?:command|library)[\"»«][^\"»«]*: ?[\"»«]",
    re.IGNORECASE,
)
"""A library or its file is not there; or the value of such a parameter is refused (percentrepl.c)."""
TOO_OFTEN = pattern(r"[\"»«]\s?([0-9A-F]{8,40}(?:\.\w+)?)\s?[\"«»]")
"""A name of WAL in quotes: in the warning that archiving a file failed too often, in any language."""

ERRORS = frozenset(
    [
        "ERROR",
        "FATAL",
        "PANIC",
        "FEHLER",
        "PANIK",
        "ERREUR",
        "ERRORE",
        "FATALE",
        "PANICO",
        "შეცდომა",
        "ფატალური",
        "პანიკა",
        "오류",
        "치명적오류",
        "손상",
        "ОШИБКА",
        "ВАЖНО",
        "ПАНИКА",
        "FEL",
        "FATALT",
        "ПОМИЛКА",
        "ФАТАЛЬНО",
        "ПАНІКА",
        "错误",
        "致命错误",
        "比致命错误还过分的错误",
        "ERRO",
        "BŁĄD",
        "KATASTROFALNY",
        "HATA",
        "CHYBA",
        "エラー",
    ]
)
"""The levels of what failed."""
DIED = frozenset(
    [
        "FATAL",
        "PANIC",
        "PANIK",
        "FATALE",
        "PANICO",
        "ფატალური",
        "치명적오류",
        "ВАЖНО",
        "FATALT",
        "ФАТАЛЬНО",
        "致命错误",
        "KATASTROFALNY",
    ]
)
DETAILS = frozenset(
    [
        "DETAIL",
        "HINT",
        "CONTEXT",
        "DETALLE",
        "CONTEXTO",
        "DÉTAIL",
        "ASTUCE",
        "CONTEXTE",
        "DETTAGLI",
        "SUGGERIMENTO",
        "CONTESTO",
        "詳細",
        "ヒント",
        "文脈",
        "დეტალები",
        "მინიშნება",
        "კონტექსტი",
        "상세정보",
        "힌트",
        "내용",
        "ПОДРОБНОСТИ",
        "ПОДСКАЗКА",
        "КОНТЕКСТ",
        "DETALJ",
        "TIPS",
        "KONTEXT",
        "ВІДОМОСТІ",
        "УКАЗІВКА",
        "详细信息",
        "提示",
        "上下文",
        "TIPP",
        "ZUSAMMENHANG",
        "DETALHE",
        "DICA",
        "CONTEXTO",
        "SZCZEGÓŁY",
        "PODPOWIEDŹ",
        "AYRINTI",
        "İPUCU",
    ]
)
"""What goes on with the message before it (elog.c, send_message_to_server_log)."""
STATEMENTS = frozenset(
    [
        "STATEMENT",
        "QUERY",
        "LOCATION",
        "ANWEISUNG",
        "ANFRAGE",
        "SENTENCIA",
        "CONSULTA",
        "INSTRUCTION",
        "REQUÊTE",
        "ISTRUZIONE",
        "文",
        "問い合わせ",
        "ოპერატორი",
        "მოთხოვნა",
        "구문",
        "쿼리",
        "ОПЕРАТОР",
        "ЗАПРОС",
        "SATS",
        "FRÅGA",
        "ІНСТРУКЦІЯ",
        "ЗАПИТ",
        "语句",
        "查询",
        "COMANDO",
        "WYRAŻENIE",
        "ZAPYTANIE",
        "İFADE",
        "SORGU",
    ]
)
"""What repeats somebody's statement below the message that is about it (the same function)."""

DENIED = (
    r"permission denied|operation not permitted|Keine Berechtigung|Permiso denegado|Permission non accord"
    r"|Permesso negato|許可がありません|허가 거부|Brak dost.{1,3}pu|Permiss.{1,3}o negada|Отказано в доступе"
    r"|Åtkomst nekas|Eri.{1,3}im engellendi|Відмовлено у доступі|权限不够|拒絕不符權限的操作"
    r"|Operace zam.{1,3}tnuta|Toegang geweigerd"
)
SEALED = (
    r"read-only file system|Dateisystem ist nur lesbar|ficheros de s.{1,3}lo lectura|accessible en lecture"
    r"|File system in sola lettura|読み込み専用ファイルシステム|읽기전용 파일 시스템|wy.{1,3}cznie do odczytu"
    r"|arquivos somente para leitura|доступна только для чтения|Skrivskyddat filsystem|Salt-okunur"
    r"|тільки для зчитування|只读文件系统|唯讀的檔案系統|pouze pro .{1,3}ten|is alleen-lezen"
)
QUOTA = (
    r"disk quota exceeded|Plattenplatz \(Quota\)|excedido la cuota de disco|bordement du quota"
    r"|Quota disco superata|ディスク使用量制限を超過|디스크 할당량이 초과"
    r"|limit dyskowy|Cota d[ae] disco excedida|Превышена дисковая квота|Diskkvot .{1,3}verskriden"
    r"|Перевищено квоту диска|超出磁盘限额|磁碟配額已滿"
)
"""Of what FULL says those that mean a quota: there df shows room."""
FULL = (
    r"no space left on device|disk quota exceeded|kein Speicherplatz mehr|Plattenplatz \(Quota\)"
    r"|No queda espacio en el dispositivo|excedido la cuota de disco|Aucun espace disponible sur"
    r"|bordement du quota|Spazio esaurito sul device|Quota disco superata|デバイスに空き領域がありません"
    r"|ディスク使用量制限を超過|장치에 남은 공간이 없음|디스크 할당량이 초과|Brak miejsca na urz"
    r"|limit dyskowy"
    r"|espa.{1,3}o dispon.{1,3}vel no dispositivo|Cota d[ae] disco excedida|осталось свободного места"
    r"|Превышена дисковая квота|Enheten är full"
    r"|Diskkvot .{1,3}verskriden|üzerinde boş yer yok|місця на пристрої"
    r"|Перевищено квоту диска|设备上没有空间|超出磁盘限额|裝置上已無多餘空間|磁碟配額已滿"
)
ABSENT = (
    r"no such file|nicht gefunden|No existe el fichero|Aucun fichier ou dossier|o directory non esistente"
    r"|ファイルやディレクトリはありません|파일이나 디렉터리가 없습니다|takiego pliku|inexistente"
    r"|Нет такого файла|katalogen finns inte|bir dosya ya da dizin yok"
    r"|Немає такого файла|没有那个文件|沒有此一檔案"
    r"|soubor neexistuje"
)
"""The C library's words for EACCES and EPERM, EROFS, ENOSPC and EDQUOT, ENOENT: patterns, in any case."""
