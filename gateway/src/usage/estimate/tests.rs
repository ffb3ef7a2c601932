use proptest::prelude::*;

use super::TokenEstimate;

/// Texts with their counts in the `o200k` vocabulary.
const SAMPLES: &[(&str, u64, &str)] = &[
    (
        "english story",
        116,
        r#"The old lighthouse keeper had not spoken to anyone for three weeks when the boat finally came. It brought flour, lamp oil, a bundle of newspapers that were already out of date, and a letter from his sister in the north. He read the letter twice, standing in the wind, and then folded it carefully into the pocket of his coat. "She wants me to come home," he told the boatman, who only shrugged. Everyone wanted him to come home. But somebody had to keep the light, and in all these years nobody else had ever asked to do it."#,
    ),
    (
        "english science",
        115,
        "Photosynthesis is the process by which green plants, algae and some bacteria turn sunlight into chemical energy. It takes place mainly in the chloroplasts of leaf cells, where chlorophyll absorbs red and blue light. In the first stage, the light-dependent reactions split water molecules and release oxygen. In the second stage, known as the Calvin cycle, carbon dioxide from the air is fixed into sugars. The overall efficiency is surprisingly low: only about one to two percent of the incoming solar energy is stored as biomass under natural conditions, although sugarcane can reach roughly eight percent.",
    ),
    (
        "english answer",
        65,
        "Sure! Here's a quick summary: you don't need to restart the router, just wait about 30 seconds until the light turns green again. If it doesn't, I'd suggest unplugging it, counting to ten, and plugging it back in. Let me know if that helps, and feel free to ask if anything's unclear.",
    ),
    (
        "rust",
        167,
        r#"use std::collections::HashMap;

/// Counts how often each word occurs.
pub fn count_words(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        if !word.is_empty() {
            *counts.entry(word).or_insert(0) += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_words_without_punctuation() {
        let counts = count_words("The cat. The dog!");
        assert_eq!(counts["the"], 2);
        assert_eq!(counts.get("bird"), None);
    }
}"#,
    ),
    (
        "json",
        96,
        r#"{"id":"chatcmpl-9f2c","object":"chat.completion","created":1761189611,"model":"grok-4-fast","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! How can I help you today?","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}"#,
    ),
    (
        "sql",
        99,
        "SELECT u.id, u.name, COUNT(o.id) AS order_count, SUM(o.total_amount) AS revenue
FROM users AS u
LEFT JOIN orders AS o ON o.user_id = u.id AND o.created_at >= '2025-01-01'
WHERE u.deleted_at IS NULL AND u.country IN ('DE', 'FR', 'NL')
GROUP BY u.id, u.name
HAVING COUNT(o.id) > 3
ORDER BY revenue DESC
LIMIT 100;",
    ),
    (
        "chinese story",
        104,
        "夏天的傍晚，街边的小店渐渐热闹起来。老板一边招呼客人，一边把刚切好的西瓜放进冰水里。孩子们在巷子里追来追去，大人们坐在门口聊天，说的都是今年的收成和孩子们的学习。远处传来一阵雷声，可是谁也不着急，因为大家都知道，这个季节的雨来得快，去得也快。",
    ),
    (
        "chinese answer",
        88,
        "当然可以。要提高数据库的查询速度，可以从以下几个方面入手：第一，为经常出现在查询条件中的字段建立索引；第二，避免使用“SELECT *”，只读取需要的列；第三，把复杂的查询拆分成几个简单的步骤，并使用执行计划分析瓶颈。另外，如果数据量非常大，还可以考虑分库分表或者使用缓存来减轻服务器的压力。",
    ),
    (
        "chinese science",
        123,
        "光合作用是绿色植物利用阳光把二氧化碳和水转化为有机物并释放氧气的过程。它主要发生在叶绿体中，分为光反应和暗反应两个阶段。在光反应阶段，叶绿素吸收光能，将水分解为氧气和氢离子；在暗反应阶段，植物利用前一阶段产生的能量，把二氧化碳固定成糖类。这个过程为地球上几乎所有的生物提供了食物和能量来源。",
    ),
    (
        "traditional chinese",
        109,
        "傳統市場的清晨總是最有生命力的。攤販們把剛從產地送來的蔬菜整齊地排好，熟客一到就先聊上幾句，再挑選當天最新鮮的魚。近年來雖然超級市場越開越多，許多家庭仍然習慣到這裡採買，因為在這裡買到的不只是食材，還有一份人情味。",
    ),
    (
        "japanese story",
        116,
        "春になると、川沿いの桜並木にはたくさんの人が集まります。家族でお弁当を広げたり、友だちと写真を撮ったりして、短い花の季節を楽しみます。夜には提灯に明かりがともり、昼間とはまったく違う雰囲気になります。花が散ったあとも、若葉の緑がとてもきれいなので、私はこの道を歩くのが一年中好きです。",
    ),
    (
        "japanese answer",
        111,
        "もちろんです。データベースの検索を速くするには、まずよく使う条件の列にインデックスを作成してください。次に、必要な列だけを取得するようにクエリを書き直します。それでも遅い場合は、実行計画を確認して、どこで時間がかかっているのかを調べることが重要です。サーバーのメモリが足りない場合は、キャッシュの利用も検討しましょう。",
    ),
    (
        "japanese science",
        123,
        "光合成とは、植物が太陽の光を利用して、二酸化炭素と水から有機物を作り出し、酸素を放出する働きのことである。主に葉の細胞にある葉緑体で行われ、光を必要とする反応と必要としない反応の二つの段階に分けられる。地球上のほとんどの生物は、この仕組みによって作られたエネルギーに支えられて生きている。",
    ),
    (
        "korean story",
        125,
        "할머니 댁 마당에는 커다란 감나무가 한 그루 있었다. 가을이 되면 우리는 긴 장대를 들고 감을 땄고, 할머니는 그 감을 깎아 처마 밑에 줄줄이 매달아 두셨다. 겨울 저녁, 따뜻한 아랫목에 앉아 먹던 곶감의 맛을 나는 지금도 잊을 수가 없다. 이제 그 집은 사라졌지만, 감나무가 있던 자리를 지날 때마다 그 시절이 떠오른다.",
    ),
    (
        "korean answer",
        86,
        "네, 가능합니다. 데이터베이스의 조회 속도를 높이려면 먼저 자주 사용하는 조건에 인덱스를 추가하는 것이 좋습니다. 그리고 필요한 열만 가져오도록 쿼리를 수정하고, 실행 계획을 확인하여 어느 부분에서 시간이 오래 걸리는지 분석해 보세요. 데이터가 매우 많다면 캐시를 사용하거나 테이블을 나누는 방법도 고려할 수 있습니다.",
    ),
    (
        "korean science",
        97,
        "광합성은 식물이 햇빛을 이용하여 이산화탄소와 물로부터 유기물을 만들고 산소를 내보내는 과정이다. 이 과정은 주로 잎의 엽록체에서 일어나며, 빛이 필요한 단계와 빛이 필요하지 않은 단계로 나눌 수 있다. 지구상의 거의 모든 생물은 이 과정을 통해 만들어진 에너지에 의존하여 살아간다.",
    ),
    (
        "russian story",
        98,
        "Осенью в деревне становилось тихо. Дачники уезжали в город, и по вечерам в окнах почти не было света. Дед топил печь, ставил самовар и рассказывал истории, которые я слышал уже много раз, но всё равно просил повторить. За окном шумел ветер, скрипела калитка, и казалось, что во всём мире нет места уютнее, чем эта маленькая кухня.",
    ),
    (
        "russian answer",
        86,
        "Конечно! Чтобы ускорить запросы к базе данных, сначала создайте индексы для полей, которые часто используются в условиях. Затем проверьте план выполнения и найдите самые медленные операции. Если данных очень много, стоит подумать о секционировании таблиц или о кэшировании результатов. Кроме того, не забывайте регулярно обновлять статистику, чтобы оптимизатор мог выбирать правильный план.",
    ),
    (
        "russian science",
        86,
        "Фотосинтез представляет собой процесс, при котором зелёные растения используют солнечный свет для превращения углекислого газа и воды в органические вещества с выделением кислорода. Он происходит главным образом в хлоропластах листьев и делится на световую и темновую стадии. Благодаря этому процессу почти все живые организмы на Земле получают пищу и энергию.",
    ),
    (
        "german",
        95,
        "Der alte Leuchtturmwärter hatte seit drei Wochen mit niemandem gesprochen, als das Boot endlich kam. Es brachte Mehl, Lampenöl, ein Bündel längst veralteter Zeitungen und einen Brief von seiner Schwester aus dem Norden. Er las ihn zweimal und steckte ihn dann sorgfältig in die Manteltasche. Natürlich wünschten sich alle, dass er nach Hause zurückkehrte, aber irgendjemand musste sich schließlich um das Licht kümmern.",
    ),
    (
        "french",
        94,
        "Le vieux gardien du phare n'avait parlé à personne depuis trois semaines lorsque le bateau arriva enfin. Il apportait de la farine, de l'huile pour la lampe, des journaux déjà périmés et une lettre de sa sœur. Il la lut deux fois, debout dans le vent, puis la plia soigneusement. Tout le monde souhaitait qu'il rentre à la maison, mais il fallait bien que quelqu'un s'occupe de la lumière.",
    ),
    (
        "polish",
        113,
        "Stary latarnik nie rozmawiał z nikim od trzech tygodni, kiedy wreszcie przypłynęła łódź. Przywiozła mąkę, olej do lampy, paczkę nieaktualnych gazet i list od siostry. Przeczytał go dwa razy, stojąc na wietrze, a potem starannie złożył. Wszyscy chcieli, żeby wrócił do domu, ale ktoś przecież musiał pilnować światła.",
    ),
    (
        "arabic",
        88,
        "في مساء كل يوم كان الجد يجلس أمام بيته القديم ويحكي لنا قصصا عن أيام شبابه. كنا نستمع إليه باهتمام كبير، ونسأله عن كل شيء، وكان يجيب دائما بابتسامة هادئة. وعندما يحل الليل، كانت الجدة تنادينا لتناول العشاء، فنجري جميعا نحو المطبخ حيث رائحة الخبز الطازج.",
    ),
    (
        "hindi",
        72,
        "हर शाम दादाजी अपने पुराने घर के सामने बैठते थे और हमें अपनी जवानी की कहानियाँ सुनाते थे। हम सब बहुत ध्यान से सुनते थे और उनसे बहुत सारे सवाल पूछते थे। रात होने पर दादी हमें खाना खाने के लिए बुलाती थीं, और हम सब दौड़ते हुए रसोई में पहुँच जाते थे।",
    ),
    (
        "emoji chat",
        54,
        "Great job! 🎉🎉 You finished all the tasks today 💪🔥 Time to relax 😊☕ Tomorrow we go hiking 🏔️🥾 Don't forget your water 💧 and snacks 🍎🥪 See you at 8! 👋😄",
    ),
    (
        "emoji only",
        85,
        "😀😃😄😁😆😅🤣😂🙂🙃😉😊😇🥰😍🤩😘😗☺️😚😙🥲😋😛😜🤪😝🤑🤗🤭🤫🤔🤐🤨😐😑😶😏😒🙄😬🤥😌😔😪🤤😴",
    ),
    (
        "numbers",
        133,
        "1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584, 4181, 6765, 10946, 17711, 28657, 46368, 75025, 121393. Pi is 3.14159265358979323846264338327950288. On 2025-10-23 at 03:20:00 the price was $1,234,567.89 (+4.5%).",
    ),
];

#[test]
fn estimates_stay_within_a_fifth_of_the_true_counts() {
    for (name, tokens, text) in SAMPLES {
        let estimate = TokenEstimate::of(text);
        assert!(estimate * 5 >= tokens * 4 && estimate * 5 <= tokens * 6, "{name}: {estimate} for {tokens}");
    }
}

#[test]
fn most_estimates_are_much_closer() {
    let close = |(_, tokens, text): &&(&str, u64, &str)| TokenEstimate::of(text).abs_diff(*tokens) * 100 <= tokens * 13;
    assert!(SAMPLES.iter().filter(close).count() * 10 >= SAMPLES.len() * 8);
}

#[test]
fn nothing_costs_nothing_and_a_word_costs_one() {
    assert_eq!(TokenEstimate::default().tokens(), 0);
    assert_eq!(TokenEstimate::of(""), 0);
    assert_eq!(TokenEstimate::of("Hi"), 1);
    assert_eq!(TokenEstimate::of("好"), 1);
}

#[test]
fn an_estimate_is_small() {
    assert!(size_of::<TokenEstimate>() <= 16);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_estimate(pieces in prop::collection::vec("(?s).{0,12}", 0..12)) {
        let mut estimate = TokenEstimate::default();
        for piece in &pieces {
            estimate.add(piece);
        }
        prop_assert_eq!(estimate.tokens(), TokenEstimate::of(&pieces.concat()));
    }
}
